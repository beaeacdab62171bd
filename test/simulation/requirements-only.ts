/**
 * A catalog that checks the requirements of the REST specification and nothing else, as servers of that specification do: it applies the
 * updates to whatever state is the newest when they arrive, late or twice. Snapshots that it removes take refs along that were
 * set a moment before.
 */
import type { Catalog, Clock } from '../../catalogs/index.js';
import type { Gate } from './gate.js';

const WRITES: ReadonlySet<string> = new Set([
  'createNamespace',
  'dropNamespace',
  'createTable',
  'registerTable',
  'commitTable',
  'dropTable',
  'renameTable',
]);
const READS: ReadonlySet<string> = new Set([
  'listNamespaces',
  'namespaceExists',
  'loadNamespaceProperties',
  'listTables',
  'tableExists',
  'newTableLocation',
  'loadTable',
]);

type Call = (...args: readonly unknown[]) => Promise<unknown>;

/** The server of such a catalog: it does one request after the other. */
export class RequirementsOnly {
  readonly #catalog: Catalog;
  #last: Promise<unknown> = Promise.resolve();

  /** @param catalog what the server keeps its tables in */
  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** @param gate through which the requests of this client reach the server */
  client(gate: Gate, clock?: Clock): Catalog {
    return new Proxy(this.#catalog, {
      get: (target, name) => {
        if (name === 'clock') return clock;
        const value: unknown = Reflect.get(target, name, target);
        if (typeof name !== 'string' || typeof value !== 'function') return value;
        const call = value.bind(target) as Call;
        const isWrite = WRITES.has(name);
        if (!isWrite && !READS.has(name)) return call;
        return (...args: readonly unknown[]) =>
          gate({ operation: isWrite ? 'change' : 'ask', target: name }, () => this.#serve(() => call(...args)));
      },
    });
  }

  #serve<T>(request: () => Promise<T>): Promise<T> {
    const served = this.#last.then(request);
    this.#last = served.catch(() => undefined);
    return served;
  }
}
