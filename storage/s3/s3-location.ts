/** Locations of objects, and the roots that they must lie under. */
import { MoraineError } from '../../errors/index.js';
import { isS3Location, type Location, printableLocation } from '../../locations/index.js';

/** An object, or the prefix of several. */
export interface S3Object {
  readonly bucket: string;
  /** Empty for the whole bucket. */
  readonly key: string;
}

/** The location as listings spell it. */
export const s3Location = ({ bucket, key }: S3Object): Location =>
  key === '' ? `s3://${bucket}` : `s3://${bucket}/${key}`;

function refused(location: Location, reason: string): MoraineError {
  const message = `Location ${printableLocation(location)} is refused: ${reason}.`;
  return new MoraineError('LOCATION_REFUSED', message, { details: { location } });
}

/**
 * The object that a location names. Keys are literal: nothing is percent-decoded, and there is nothing to resolve. Segments that are empty,
 * `.` or `..` are refused, since proxies and servers resolve them.
 * @throws MoraineError `LOCATION_REFUSED`
 */
export function parseS3Location(location: Location): S3Object {
  if (!isS3Location(location)) throw refused(location, 'it is not an s3:// location');
  const [bucket = '', ...segments] = location
    .replace(/^[^:]*:\/\//, '')
    .replace(/\/$/, '')
    .split('/');
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/i.test(bucket)) throw refused(location, 'it does not name a bucket');
  if (location.includes('\0')) throw refused(location, 'it contains a NUL character');
  if (segments.some((segment) => ['', '.', '..'].includes(segment))) {
    throw refused(location, 'its key has an empty segment, or one that is "." or ".."');
  }
  return { bucket, key: segments.join('/') };
}

/** A root that stands for all buckets whose names end so: AWS S3 Tables makes one for each table. */
const BUCKETS = /^s3[an]?:\/\/\*(-[a-z0-9-]+)\/?$/;

/** Whether a location stands for buckets, rather than being one. */
export const namesBuckets = (root: Location): boolean => BUCKETS.test(root);

/** Buckets, or prefixes of keys, that may be touched: a set of locations. */
export class S3Roots {
  readonly #roots: readonly S3Object[];
  readonly #endings: readonly string[];

  /** @throws MoraineError `LOCATION_REFUSED` for a root that is not an s3:// location */
  constructor(roots: readonly Location[]) {
    this.#roots = roots.filter((root) => !namesBuckets(root)).map(parseS3Location);
    this.#endings = roots.flatMap((root) => BUCKETS.exec(root)?.[1] ?? []);
  }

  /** The object of a location under a root. @throws MoraineError `LOCATION_REFUSED` */
  resolve(location: Location): S3Object {
    const object = parseS3Location(location);
    if (this.hold(object)) return object;
    throw refused(location, 'it is outside the allowed storage roots');
  }

  hold(object: S3Object): boolean {
    return (
      this.#roots.some((root) => isUnder(object, root)) ||
      this.#endings.some((ending) => object.bucket.endsWith(ending))
    );
  }

  /** Whether an object may lie under a root of both. */
  overlaps(other: S3Roots): boolean {
    return this.holdsOne(other) || other.holdsOne(this);
  }

  /** Whether a root of the other lies in one of these. */
  holdsOne(other: S3Roots): boolean {
    return (
      other.#roots.some((root) => this.hold(root)) ||
      other.#endings.some((ending) => this.#endings.some((own) => ending.endsWith(own)))
    );
  }
}

const isUnder = ({ bucket, key }: S3Object, root: S3Object): boolean =>
  bucket === root.bucket && (root.key === '' || key === root.key || key.startsWith(`${root.key}/`));
