/** The storage of a project: local files, the objects of stores, or both. */
import { MoraineError } from '../errors/index.js';
import { isStoreLocation, type Location, PrefixMap } from '../locations/index.js';
import { DiskCache, type DiskCacheOptions } from './disk-cache.js';
import type { FileIO } from './file-io.js';
import { LocalFileIO, type LocalFileIOOptions } from './local-file-io.js';
import { RoutedFileIO } from './routed-file-io.js';
import { StoreRoots, schemeOf } from './s3/s3-location.js';
import type { StorageOptions } from './s3/store-dialect.js';
import type { StorageGrants } from './storage-grants.js';

/** A store with options of its own. */
export interface StoreSettings {
  /** Where its settings stand, for messages. */
  readonly name: string;
  /** Buckets, or prefixes of keys. */
  readonly roots: readonly Location[];
  /** Options by the names that PyIceberg gives them. Nothing else applies to the store. */
  readonly options: StorageOptions;
}

/** The stores of a project. */
export interface Stores {
  /** Options of all roots that no other store has. */
  readonly options?: StorageOptions;
  readonly stores?: readonly StoreSettings[];
}

export interface OpenStorageOptions extends LocalFileIOOptions, Stores {
  /** Where files of object stores are kept on this machine; unless given nowhere. */
  readonly diskCache?: DiskCacheOptions;
  /** Access to objects that catalogs give, used where the options have no credentials. */
  readonly grants?: StorageGrants | undefined;
}

/** The options of the store that has a location; none for a location of this machine. */
export function storeOptionsAt({ options = {}, stores = [] }: Stores, location: Location): StorageOptions {
  if (!isStoreLocation(location)) return {};
  return storeAt(stores, location)?.options ?? options;
}

/**
 * Opens the storages that roots lie in: those of `roots`, and of each store. The client of an object store is loaded only for one.
 * @throws MoraineError `CONFIG_INVALID` for incomplete credentials, and for roots that overlap those of another store or mapped prefixes;
 *   `LOCATION_REFUSED` for a root that names no place
 */
export async function openStorage(storage: OpenStorageOptions): Promise<FileIO> {
  const { options = {}, stores = [], diskCache, grants, ...local } = storage;
  const rest = storage.roots.filter((root) => isStoreLocation(root) && storeAt(stores, root) === undefined);
  const settings = [...(rest.length === 0 ? [] : [{ name: null, roots: rest, options }]), ...stores];
  const localRoots = storage.roots.filter((root) => !isStoreLocation(root));
  const localIo = new LocalFileIO({ ...local, roots: localRoots });
  if (settings.length === 0) return localIo;
  const { prefixes = new PrefixMap([]) } = local;
  refuseOverlaps(settings, prefixes);
  const cache = diskCache === undefined ? {} : { diskCache: new DiskCache(diskCache) };
  const opened = await openStores(settings, { grants, ...cache });
  const [only] = opened;
  if (only !== undefined && opened.length === 1 && localRoots.length === 0) return only;
  const roots = [...new Set([...storage.roots, ...stores.flatMap((store) => store.roots)])];
  return new RoutedFileIO({ local: localIo, stores: opened, prefixes, roots });
}

/** A client for each scheme of each store. */
async function openStores(
  settings: readonly Pick<StoreSettings, 'roots' | 'options'>[],
  shared: { readonly diskCache?: DiskCache; readonly grants: StorageGrants | undefined },
) {
  const [{ S3FileIO }, { S3_DIALECT }, { GCS_DIALECT }] = await Promise.all([
    import('./s3/s3-file-io.js'),
    import('./s3/s3-options.js'),
    import('./gcs/gcs-dialect.js'),
  ]);
  const dialects = { s3: S3_DIALECT, gs: GCS_DIALECT };
  return settings.flatMap(({ roots, options }) =>
    (['s3', 'gs'] as const).flatMap((scheme) => {
      const own = roots.filter((root) => schemeOf(root) === scheme);
      return own.length === 0 ? [] : [new S3FileIO({ roots: own, options, dialect: dialects[scheme], ...shared })];
    }),
  );
}

function storeAt(stores: readonly StoreSettings[], location: Location): StoreSettings | undefined {
  const own = new StoreRoots([location]);
  return stores.find(({ roots }) => new StoreRoots(roots).holdsOne(own));
}

/** A location must not mean two files: one of them would be taken for the other, and deleted in its place. */
function refuseOverlaps(
  stores: readonly (Omit<StoreSettings, 'name'> & { readonly name: string | null })[],
  prefixes: PrefixMap,
): void {
  const places = stores.flatMap(({ name, roots }) =>
    roots.map((root) => ({ store: name === null ? 'storage.options' : name, root })),
  );
  for (const [index, { store, root }] of places.entries()) {
    const roots = new StoreRoots([root]);
    const other = places
      .slice(0, index)
      .find((each) => each.store !== store && roots.overlaps(new StoreRoots([each.root])));
    if (other !== undefined) {
      throw overlap(
        `${root} of ${store} and ${other.root} of ${other.store} overlap; give each store roots of its own`,
      );
    }
    const prefix = prefixes.prefixes.find((each) => isStoreLocation(each) && roots.overlaps(new StoreRoots([each])));
    if (prefix !== undefined) {
      throw overlap(`${root} and the prefix ${prefix} of storage.locations overlap; remove one of them`);
    }
  }
}

const overlap = (what: string): MoraineError =>
  new MoraineError('CONFIG_INVALID', `One location would name two files: ${what}.`);
