import type { Catalog } from '../../catalogs/index.js';

/** A catalog with the methods replaced that `methods` gives at the time of the call. */
export function replacing(catalog: Catalog, methods: () => Partial<Catalog>): Catalog {
  return new Proxy(catalog, {
    get: (target, name) => {
      const others = methods();
      const own: unknown = Reflect.get(name in others ? others : target, name);
      return typeof own === 'function' ? (own.bind(target) as unknown) : own;
    },
  });
}
