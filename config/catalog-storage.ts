/** Options of a store that stand among those of a catalog, as PyIceberg has them: they count where the catalog's tables are. */
import { isBucketPlace } from './catalog-options.js';
import type { StoreConfig } from './config.js';
import type { ConfigInput } from './config-schema.js';
import { isStorageOption, resolveStorageOptions } from './storage-options.js';

type Catalogs = NonNullable<ConfigInput['catalogs']>;
type Options = Readonly<Record<string, unknown>>;

/** Equal storage options of one or several catalogs. */
interface Group {
  /** Where the options stand, for messages. */
  readonly keys: readonly string[];
  /** The buckets that its catalogs put tables in. */
  readonly places: readonly string[];
  /** Whether the places of one of its catalogs are not known here: a server decides them. */
  readonly isOpen: boolean;
  readonly options: Readonly<Record<string, string>>;
}

/** What the catalogs of a configuration say about stores. */
export interface CatalogStorage {
  readonly stores: readonly StoreConfig[];
  /** Options of all roots that no store has; undefined: they say none. */
  readonly options: Readonly<Record<string, string>> | undefined;
}

/** The options of a catalog without, and with only, those of stores. */
export function splitOptions(options: Options = {}): { readonly own: Options; readonly ofStore: Options } {
  const entries = Object.entries(options);
  return {
    own: Object.fromEntries(entries.filter(([name]) => !isStorageOption(name))),
    ofStore: Object.fromEntries(entries.filter(([name]) => isStorageOption(name))),
  };
}

function groupsOf(catalogs: Catalogs): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const [name, { type, warehouse, options }] of Object.entries(catalogs)) {
    const { ofStore } = splitOptions(options);
    if (Object.keys(ofStore).length === 0) continue;
    const resolved = resolveStorageOptions(ofStore);
    const key = JSON.stringify(Object.entries(resolved).toSorted());
    const { keys = [], places = [], isOpen = false } = groups.get(key) ?? {};
    const isKnown = type !== 'rest' && warehouse !== undefined && isBucketPlace(warehouse);
    groups.set(key, {
      keys: [...keys, `catalogs.${name}.options`],
      places: isKnown ? [...places, warehouse.replace(/\/+$/, '')] : places,
      isOpen: isOpen || !isKnown,
      options: resolved,
    });
  }
  return [...groups.values()];
}

/**
 * The stores of catalogs with storage options: each has the warehouse, and the storage roots around and in it. Where a server decides the
 * places of tables, the options are for all roots that no store has.
 * @param roots those that are written down for no store
 */
export function storageOfCatalogs({ catalogs = {} }: ConfigInput, roots: readonly string[]): CatalogStorage {
  const groups = groupsOf(catalogs);
  const stores = groups.filter(({ isOpen }) => !isOpen);
  const claimsOf = (root: string): readonly Group[] =>
    stores.filter(({ places }) => places.some((place) => overlap(place, root)));
  return {
    options: groups.find(({ isOpen }) => isOpen)?.options,
    stores: stores.map((group) => {
      const around = roots.filter((root) => claimsOf(root).length === 1 && claimsOf(root)[0] === group);
      return {
        name: group.keys.join(' and '),
        roots: [...new Set([...group.places, ...around])],
        options: group.options,
      };
    }),
  };
}

/** What is wrong with storage options that two would have for the same places; undefined: nothing. */
export function catalogStorageProblem({ catalogs = {}, storage }: ConfigInput): string | undefined {
  const open = groupsOf(catalogs).filter(({ isOpen }) => isOpen);
  const written = Object.keys(storage?.options ?? {}).length > 0 ? ['storage.options'] : [];
  const all = [...open.map(({ keys }) => keys.join(' and ')), ...written];
  if (open.length === 0 || all.length < 2) return undefined;
  const name = (open.at(-1)?.keys[0] ?? '').split('.')[1] ?? '';
  return `${all.join(' and ')}: both would count for the same buckets, since the places of these tables are not known here; move the storage options of ${name} to storage.stores.${name}: { roots: [s3://BUCKET], options: .. }`;
}

/** Whether one place lies in the other. */
function overlap(one: string, other: string): boolean {
  const [a, b] = [one, other].map((place) => `${place.replace(/^s3[an]:/, 's3:').replace(/\/+$/, '')}/`) as [
    string,
    string,
  ];
  return a.startsWith(b) || b.startsWith(a);
}
