/** Objects of S3 and of stores with its protocol. */
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { MoraineError } from '../../errors/index.js';
import { type Location, printableLocation } from '../../locations/index.js';
import type { DiskCache } from '../disk-cache.js';
import { FileCache } from '../file-cache.js';
import {
  type ExpectedFile,
  type FileIO,
  type FilePage,
  type FileRange,
  type FileStatus,
  type FileTail,
  joined,
} from '../file-io.js';
import { fileChanged } from '../storage-error.js';
import type { StorageGrants } from '../storage-grants.js';
import { countTraffic, noTraffic, type Traffic } from '../traffic.js';
import { type BodyExtent, type BodySource, bodyPieces, type WantedBody } from './object-body.js';
import { ObjectCreation } from './object-creation.js';
import { foreignAnswer, requireRange } from './s3-answers.js';
import { S3Clients } from './s3-clients.js';
import { replacesFiles, s3Error, statusOf } from './s3-error.js';
import { objectNames, parseStoreLocation, type StoreObject, StoreRoots, storeLocation } from './s3-location.js';
import { S3_DIALECT } from './s3-options.js';
import type { StorageOptions, StoreDialect } from './store-dialect.js';

/** Objects that one request deletes. */
const DELETED_AT_ONCE = 1000;

export interface S3FileIOOptions {
  /** Buckets, or prefixes of keys, of one scheme: what may be touched; everything else is `LOCATION_REFUSED`. */
  readonly roots: readonly Location[];
  readonly options: StorageOptions;
  /** That of S3 unless given. */
  readonly dialect?: StoreDialect;
  /** Where fetched files are kept; unless given nowhere. */
  readonly diskCache?: DiskCache;
  /** What catalogs give, used where the options have no credentials. */
  readonly grants?: StorageGrants | undefined;
}

/** The {@link FileIO} of an object store. Creating files needs conditional writes. */
export class S3FileIO implements FileIO {
  readonly cache = new FileCache();
  /** Since it was opened. */
  readonly traffic: Traffic = noTraffic();
  readonly #roots: StoreRoots;
  readonly #diskCache: DiskCache | null;
  readonly #scope: string;
  readonly #clients: S3Clients;
  readonly #requestMs: number;
  readonly #creation: ObjectCreation;
  /** Whether creations are exclusive, by bucket: asked once. */
  readonly #exclusive = new Map<string, Promise<boolean>>();

  /** @throws MoraineError `LOCATION_REFUSED` for a root that is none; `CONFIG_INVALID` naming the option */
  constructor({ roots, options, dialect = S3_DIALECT, diskCache, grants }: S3FileIOOptions) {
    this.#roots = new StoreRoots(roots);
    this.#diskCache = diskCache ?? null;
    this.#clients = new S3Clients(dialect, options, grants, this.traffic);
    this.#creation = new ObjectCreation(this.#clients, dialect, this.traffic);
    this.#requestMs = dialect.requestTimeoutMs(options);
    this.#scope = [dialect.scopeOf(options), this.#clients.scope].filter((each) => each !== undefined).join(' ');
  }

  localFiles(): null {
    return null;
  }

  diskCache(): DiskCache | null {
    return this.#diskCache;
  }

  scope(): string {
    return this.#scope;
  }

  /** Whether a location lies under the roots. @throws MoraineError `LOCATION_REFUSED` for one that names no object */
  holds(location: Location): boolean {
    return this.#roots.hold(parseStoreLocation(location));
  }

  // biome-ignore lint/suspicious/useAwait: what it throws must reject
  async canonical(location: Location): Promise<Location> {
    return storeLocation(this.#roots.resolve(location));
  }

  async stat(location: Location): Promise<FileStatus> {
    const object = this.#object(location, 'read');
    return await named('read', location, async () => {
      const head = new HeadObjectCommand(objectNames(object));
      const found = await this.#clients.ask(object, (client) => client.send(head));
      return fileStatus(location, found.ContentLength, found.LastModified, found.ETag);
    });
  }

  async read(location: Location, options: ExpectedFile & { readonly maxBytes?: number } = {}): Promise<Uint8Array> {
    const { maxBytes, identity } = options;
    const extentOf = ({ ContentLength: length = 0 }: GetObjectCommandOutput): BodyExtent => {
      if (maxBytes === undefined || length <= maxBytes) return { offset: 0, length };
      const message = `File ${printableLocation(location)} has ${length} bytes; at most ${maxBytes} are read.`;
      throw new MoraineError('LIMIT_EXCEEDED', message, { details: { location, sizeBytes: length, maxBytes } });
    };
    return await joined(this.#get({ location, identity, extentOf }));
  }

  async *readRange(location: Location, { offset, length, identity }: FileRange & ExpectedFile) {
    const object = this.#object(location, 'read');
    if (length === 0) return;
    const extentOf = (answer: GetObjectCommandOutput): BodyExtent => {
      requireRange(answer, location, offset);
      if (answer.ContentLength === length) return { offset, length };
      const end = offset + (answer.ContentLength ?? 0);
      const message = `File ${printableLocation(storeLocation(object))} ends at byte ${end}; ${length} bytes from ${offset} were expected.`;
      throw new MoraineError('DATA_FILE_CORRUPT', message, { details: { location, offset, length } });
    };
    yield* this.#get({ location, identity, range: `bytes=${offset}-${offset + length - 1}`, extentOf });
  }

  async readTail(location: Location, wanted: number): Promise<FileTail> {
    let status: Omit<FileTail, 'bytes'> = { sizeBytes: 0, identity: '' };
    const extentOf = (answer: GetObjectCommandOutput): BodyExtent => {
      const { ContentLength = 0, ContentRange, ETag, LastModified } = answer;
      // A whole file that is shorter may come without its range.
      const total = ContentRange === undefined ? ContentLength : Number(/\/(\d+)$/.exec(ContentRange)?.[1]);
      const { sizeBytes, identity } = fileStatus(location, total, LastModified, ETag);
      status = { sizeBytes, identity };
      const length = Math.min(wanted, sizeBytes);
      return { offset: sizeBytes - length, length };
    };
    const tail = joined(this.#get({ location, range: `bytes=-${wanted}`, extentOf }));
    const bytes = await tail.catch(async (error: unknown) => {
      // No range lies in an empty file.
      const { sizeBytes, identity } = await this.stat(location);
      if (sizeBytes > 0) throw error;
      status = { sizeBytes, identity };
      return new Uint8Array(0);
    });
    return { ...status, bytes };
  }

  async create(location: Location, content: Uint8Array): Promise<void> {
    const object = this.#object(location, 'create');
    // A request may go out again with these bytes while the caller has them already.
    await named('create', location, () => this.#creation.put(object, content.slice()));
  }

  async createFrom(location: Location, content: AsyncIterable<Uint8Array>): Promise<void> {
    const object = this.#object(location, 'create');
    await named('create', location, () => this.#creation.from(object, content));
  }

  async requireExclusiveCreation(location: Location): Promise<void> {
    const folder = this.#roots.resolve(location);
    const { bucket } = folder;
    let known = this.#exclusive.get(bucket);
    if (known === undefined) {
      known = named('create a file in', location, () => this.#creation.isExclusive(folder));
      this.#exclusive.set(bucket, known);
      known.catch(() => this.#exclusive.delete(bucket));
    }
    if (!(await known)) throw replacesFiles(location);
  }

  async abandonCreations(location: Location, beforeMs: number): Promise<void> {
    const folder = this.#roots.resolve(location);
    const { bucket: Bucket, key } = folder;
    await named('list', location, async () => {
      const Prefix = key === '' ? '' : `${key}/`;
      for (let place = {}; ; ) {
        const list = new ListMultipartUploadsCommand({ Bucket, Prefix, ...place });
        const page = await this.#clients.ask(folder, (client) => client.send(list));
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if (Key === undefined || Initiated === undefined || Initiated.getTime() >= beforeMs) continue;
          const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
          await this.#clients
            .ask({ ...folder, key: Key }, (client) => client.send(abort))
            .catch((error: unknown) => {
              // Somebody else has ended it.
              if (statusOf(error) !== 404) throw error;
            });
        }
        if (page.IsTruncated !== true) return;
        place = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
      }
    });
  }

  async delete(...locations: readonly Location[]): Promise<void> {
    const failures: unknown[] = [];
    const together: { readonly access: unknown; readonly bucket: string; readonly objects: StoreObject[] }[] = [];
    for (const location of locations) {
      try {
        const object = this.#object(location, 'delete');
        const { bucket } = object;
        const access = this.#clients.accessOf(object);
        const known = together.find((each) => each.access === access && each.bucket === bucket);
        if (known === undefined) together.push({ access, bucket, objects: [object] });
        else known.objects.push(object);
      } catch (error) {
        failures.push(error);
      }
    }
    for (const { objects } of together) {
      for (let start = 0; start < objects.length; start += DELETED_AT_ONCE) {
        const some = objects.slice(start, start + DELETED_AT_ONCE);
        await this.#deleteSome(some).catch((error: unknown) => failures.push(error));
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async listPage(
    location: Location,
    { maxFiles, after }: { readonly maxFiles: number; readonly after?: string },
  ): Promise<FilePage> {
    const folder = this.#roots.resolve(location);
    return await named('list', location, async () => {
      const list = new ListObjectsV2Command({
        Bucket: folder.bucket,
        Prefix: folder.key === '' ? '' : `${folder.key}/`,
        MaxKeys: maxFiles,
        // Names that XML cannot hold. Not every store honours it; one that does says so.
        EncodingType: 'url',
        ...(after === undefined ? {} : { StartAfter: after }),
      });
      const page = await this.#clients.ask(folder, (client) => client.send(list));
      if (page.IsTruncated === undefined) throw foreignAnswer('the list of', location);
      const keyOf = page.EncodingType === 'url' ? decodeKey : (key: string) => key;
      const objects = (page.Contents ?? []).map((object) => ({ ...object, key: keyOf(object.Key ?? '') }));
      const files = objects
        // Consoles and Hadoop make objects of this name that stand for folders.
        .filter((object) => !object.key.endsWith('/'))
        .map((object) => {
          return fileStatus(
            storeLocation({ ...folder, key: object.key }),
            object.Size,
            object.LastModified,
            object.ETag,
          );
        });
      return { files, next: page.IsTruncated === true ? (objects.at(-1)?.key ?? null) : null };
    });
  }

  /** The object of a location. A bucket is not an object. */
  #object(location: Location, action: string): StoreObject {
    const object = this.#roots.resolve(location);
    if (object.key !== '') return object;
    const message = `Cannot ${action} ${printableLocation(location)}: it is a bucket, not a file.`;
    throw new MoraineError('FILE_NOT_FOUND', message, { details: { location } });
  }

  /** Bytes of an object, as they come. */
  async *#get(wanted: WantedBody): AsyncGenerator<Uint8Array, void> {
    const { location } = wanted;
    const object = this.#object(location, 'read');
    const ask: BodySource['ask'] = async (request) => {
      const get = new GetObjectCommand({ ...objectNames(object), ...request });
      return await this.#clients.ask(object, (client) => client.send(get));
    };
    try {
      for await (const piece of bodyPieces(wanted, { ask, requestMs: this.#requestMs })) {
        countTraffic(this.traffic, 'readBytes', piece.length);
        yield piece;
      }
    } catch (error) {
      throw statusOf(error) === 412 ? fileChanged(location) : s3Error(error, 'read', location);
    }
  }

  /** Deletes objects of one bucket and one access. */
  async #deleteSome(objects: readonly StoreObject[]): Promise<void> {
    const [first] = objects;
    if (first === undefined) return;
    await named('delete', storeLocation(first), async () => {
      const Objects = objects.map(({ key: Key }) => ({ Key }));
      const command = new DeleteObjectsCommand({ Bucket: first.bucket, Delete: { Quiet: true, Objects } });
      const { Errors = [] } = await this.#clients.ask(first, (client) => client.send(command));
      const [failed] = Errors;
      if (failed === undefined) return;
      const location = storeLocation({ ...first, key: failed.Key ?? '' });
      throw s3Error(Object.assign(new Error(failed.Message), { name: failed.Code }), 'delete', location);
    });
  }
}

async function named<T>(action: string, location: Location, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw s3Error(error, action, location);
  }
}

function fileStatus(
  location: Location,
  size: number | undefined,
  modified: Date | undefined,
  etag: string | undefined,
): FileStatus {
  if (size === undefined || modified === undefined || etag === undefined) {
    const message = `The store does not say the size, time and ETag of ${printableLocation(location)}.`;
    throw new MoraineError('STORAGE_UNAVAILABLE', message, { details: { location } });
  }
  // The header of a file's status has whole seconds, the listings of some stores have more: both must say the same.
  const modifiedMs = Math.floor(modified.getTime() / 1000) * 1000;
  return { location, sizeBytes: size, modifiedMs, appearedMs: modifiedMs, identity: etag };
}

const decodeKey = (key: string): string => decodeURIComponent(key.replaceAll('+', ' '));
