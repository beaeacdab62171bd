/** Locations of objects, and the roots that they must lie under. */
import { MoraineError } from '../../errors/index.js';
import { isStoreLocation, type Location, printableLocation } from '../../locations/index.js';

/** Scheme of the locations of a kind of store. */
export type StoreScheme = 's3' | 'gs';

/** An object, or the prefix of several. */
export interface StoreObject {
  readonly scheme: StoreScheme;
  readonly bucket: string;
  /** Empty for the whole bucket. */
  readonly key: string;
}

/** The location as listings spell it. */
export const storeLocation = ({ scheme, bucket, key }: StoreObject): Location =>
  key === '' ? `${scheme}://${bucket}` : `${scheme}://${bucket}/${key}`;

export const schemeOf = (location: Location): StoreScheme => (location.startsWith('gs://') ? 'gs' : 's3');

function refused(location: Location, reason: string): MoraineError {
  const message = `Location ${printableLocation(location)} is refused: ${reason}.`;
  return new MoraineError('LOCATION_REFUSED', message, { details: { location } });
}

const BUCKET: Readonly<Record<StoreScheme, RegExp>> = {
  // Those of before 2018 have underscores and capitals, and up to 255 characters.
  s3: /^[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]$/i,
  gs: /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/,
};

/**
 * The object that a location names. Keys are literal: nothing is percent-decoded, and there is nothing to resolve. Segments that are empty,
 * `.` or `..` are refused, since proxies and servers resolve them.
 * @throws MoraineError `LOCATION_REFUSED`
 */
export function parseStoreLocation(location: Location): StoreObject {
  if (!isStoreLocation(location)) throw refused(location, 'it is neither an s3:// nor a gs:// location');
  const scheme = schemeOf(location);
  const [bucket = '', ...segments] = location
    .replace(/^[^:]*:\/\//, '')
    .replace(/\/$/, '')
    .split('/');
  if (!BUCKET[scheme].test(bucket)) throw refused(location, 'it does not name a bucket');
  if (location.includes('\0')) throw refused(location, 'it contains a NUL character');
  if (segments.some((segment) => ['', '.', '..'].includes(segment))) {
    throw refused(location, 'its key has an empty segment, or one that is "." or ".."');
  }
  return { scheme, bucket, key: segments.join('/') };
}

/** A root that stands for all buckets whose names end so: AWS S3 Tables makes one for each table. */
const BUCKETS = /^s3[an]?:\/\/\*(-[a-z0-9-]+)\/?$/;

/** Whether a location stands for buckets, rather than being one. */
export const namesBuckets = (root: Location): boolean => BUCKETS.test(root);

/** Buckets, or prefixes of keys, that may be touched: a set of locations. */
export class StoreRoots {
  readonly #roots: readonly StoreObject[];
  readonly #endings: readonly string[];

  /** @throws MoraineError `LOCATION_REFUSED` for a root that is not a location of a store */
  constructor(roots: readonly Location[]) {
    this.#roots = roots.filter((root) => !namesBuckets(root)).map(parseStoreLocation);
    this.#endings = roots.flatMap((root) => BUCKETS.exec(root)?.[1] ?? []);
  }

  /** The object of a location under a root. @throws MoraineError `LOCATION_REFUSED` */
  resolve(location: Location): StoreObject {
    const object = parseStoreLocation(location);
    if (this.hold(object)) return object;
    throw refused(location, 'it is outside the allowed storage roots');
  }

  hold(object: StoreObject): boolean {
    return (
      this.#roots.some((root) => isUnder(object, root)) ||
      (object.scheme === 's3' && this.#endings.some((ending) => object.bucket.endsWith(ending)))
    );
  }

  /** Whether an object may lie under a root of both. */
  overlaps(other: StoreRoots): boolean {
    return this.holdsOne(other) || other.holdsOne(this);
  }

  /** Whether a root of the other lies in one of these. */
  holdsOne(other: StoreRoots): boolean {
    return (
      other.#roots.some((root) => this.hold(root)) ||
      other.#endings.some((ending) => this.#endings.some((own) => ending.endsWith(own)))
    );
  }
}

const isUnder = ({ scheme, bucket, key }: StoreObject, root: StoreObject): boolean =>
  scheme === root.scheme &&
  bucket === root.bucket &&
  (root.key === '' || key === root.key || key.startsWith(`${root.key}/`));

/** The object, as requests name it. */
export const objectNames = ({ bucket, key }: StoreObject) => ({ Bucket: bucket, Key: key });
