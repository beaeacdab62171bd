/** Creating objects: only where nothing is, although answers may be lost and requests sent again. See docs/adr/0026-s3.md. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { countTraffic, type Traffic } from '../traffic.js';
import { foreignAnswer } from './s3-answers.js';
import type { S3Clients } from './s3-clients.js';
import { statusOf } from './s3-error.js';
import { objectNames, type StoreObject, storeLocation } from './s3-location.js';
import type { StoreDialect } from './store-dialect.js';
import { chained, inOrder, partsOf } from './upload-parts.js';

/** Parts of one upload on their way at a time. */
const PARTS_AT_ONCE = 4;

/** How often a creation is tried that met another one, and the wait in between, in milliseconds. */
const ATTEMPTS = 4;
const WAIT_MS = 50;

/** Answers to creations that may be those of an own earlier request, whose answer was lost. */
const UNDECIDED: readonly (number | undefined)[] = [404, 409, 412];

/** End of the name of an object that is not yet one of the table's. */
const UNFINISHED = '.unfinished';

/** Metadata of an object by which its writer knows it: an answer may be lost, and the request sent again. */
const WRITER = 'moraine-writer';

export class ObjectCreation {
  readonly #clients: S3Clients;
  readonly #dialect: StoreDialect;
  readonly #traffic: Traffic;

  constructor(clients: S3Clients, dialect: StoreDialect, traffic: Traffic) {
    this.#clients = clients;
    this.#dialect = dialect;
    this.#traffic = traffic;
  }

  /** Creates an object from content that comes in pieces. */
  async from(object: StoreObject, content: AsyncIterable<Uint8Array>): Promise<void> {
    const parts = partsOf(content);
    const first = await parts.next();
    const second = first.done === true ? first : await parts.next();
    if (second.done === true) await this.put(object, first.done === true ? new Uint8Array(0) : first.value);
    else await this.#upload(object, chained(first.value as Uint8Array, second.value, parts));
  }

  /**
   * Whether the store refuses to create an object where one is, in one request and in parts. Some stores ignore the condition and answer
   * that all went well.
   * @param folder where an object is made for a moment
   */
  async isExclusive(folder: StoreObject): Promise<boolean> {
    const name = `.moraine-probe-${randomUUID()}`;
    const probe = { ...folder, key: folder.key === '' ? name : `${folder.key}/${name}` };
    const isRefused = async (create: Promise<void>): Promise<boolean> => {
      const failure = await create.then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      if (failure !== undefined && statusOf(failure.error) !== 412) throw failure.error;
      return failure !== undefined;
    };
    await this.put(probe, Buffer.from('first'));
    try {
      const again = Buffer.from('second');
      return (await isRefused(this.put(probe, again))) && (await isRefused(this.#upload(probe, chained(again))));
    } finally {
      await this.#delete(probe);
    }
  }

  /** Creates an object from content at hand. */
  async put(object: StoreObject, content: Uint8Array): Promise<void> {
    countTraffic(this.#traffic, 'writtenBytes', content.length);
    const writer = randomUUID();
    const put = () => {
      const settings = { ...objectNames(object), IfNoneMatch: '*', Metadata: { [WRITER]: writer } };
      return this.#clients.ask(object, (client) => client.send(new PutObjectCommand({ ...settings, Body: content })));
    };
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#resolved(object, writer, put);
      } catch (error) {
        // Another creation of the object is under way: which one wins is open.
        if (statusOf(error) !== 409 || attempt === ATTEMPTS) throw error;
        await pause(attempt);
      }
    }
  }

  /** Runs a creation. One that is refused, or not acknowledged, has landed if the object bears the writer's mark. */
  async #resolved(
    object: StoreObject,
    writer: string,
    create: () => Promise<{ readonly ETag?: string | undefined }>,
  ): Promise<void> {
    const answer = await create().catch((error: unknown) => {
      if (UNDECIDED.includes(statusOf(error))) return { error };
      throw error;
    });
    if ('ETag' in answer && answer.ETag !== undefined) return;
    if (await this.#isBy(object, writer)) return;
    throw 'error' in answer ? answer.error : foreignAnswer('the creation of', storeLocation(object));
  }

  async #isBy(object: StoreObject, writer: string): Promise<boolean> {
    const head = new HeadObjectCommand(objectNames(object));
    const found = await this.#clients
      .ask(object, (client) => client.send(head))
      .catch((error: unknown) => {
        if (statusOf(error) === 404) return undefined;
        throw error;
      });
    if (found !== undefined && found.ETag === undefined) throw foreignAnswer('the status of', storeLocation(object));
    return found?.Metadata?.[WRITER] === writer;
  }

  async #upload(object: StoreObject, parts: AsyncIterable<Uint8Array>): Promise<void> {
    const writer = randomUUID();
    const { completesConditionally } = this.#dialect;
    if (completesConditionally) {
      return await this.#resolved(object, writer, () => this.#uploadParts(object, writer, parts, { IfNoneMatch: '*' }));
    }
    // The end of an upload would replace what is there. So it gets a name of its own, and is copied if nothing is there.
    const unfinished = { ...object, key: `${object.key}.${writer}${UNFINISHED}` };
    try {
      await this.#uploadParts(unfinished, writer, parts, {});
      const CopySource = encodeURI(`${unfinished.bucket}/${unfinished.key}`).replace(/[?#+]/g, encodeURIComponent);
      const copy = new CopyObjectCommand({ ...objectNames(object), CopySource, IfNoneMatch: '*' });
      await this.#resolved(object, writer, async () => {
        return (await this.#clients.ask(object, (client) => client.send(copy))).CopyObjectResult ?? {};
      });
    } finally {
      // What stays is an orphan, and swept as such.
      await this.#delete(unfinished).catch(() => undefined);
    }
  }

  /** An upload in parts, which is given up if it fails. @param conditions of its last request */
  async #uploadParts(
    object: StoreObject,
    writer: string,
    parts: AsyncIterable<Uint8Array>,
    conditions: { readonly IfNoneMatch?: string },
  ): Promise<{ readonly ETag?: string | undefined }> {
    const ask = <T>(request: (client: S3Client) => Promise<T>): Promise<T> => this.#clients.ask(object, request);
    const begin = new CreateMultipartUploadCommand({ ...objectNames(object), Metadata: { [WRITER]: writer } });
    const { UploadId } = await ask((client) => client.send(begin));
    const upload = { ...objectNames(object), UploadId };
    try {
      const Parts = await inOrder(parts, PARTS_AT_ONCE, async (Body, index): Promise<CompletedPart> => {
        const PartNumber = index + 1;
        countTraffic(this.#traffic, 'writtenBytes', Body.length);
        const part = new UploadPartCommand({ ...upload, PartNumber, Body });
        const { ETag } = await ask((client) => client.send(part));
        if (ETag === undefined) throw foreignAnswer('a part of', storeLocation(object));
        return { PartNumber, ETag };
      });
      const complete = new CompleteMultipartUploadCommand({ ...upload, ...conditions, MultipartUpload: { Parts } });
      return await ask((client) => client.send(complete));
    } catch (error) {
      // The first error is the one to report; parts that stay are swept.
      await ask((client) => client.send(new AbortMultipartUploadCommand(upload))).catch(() => undefined);
      throw error;
    }
  }

  async #delete(object: StoreObject): Promise<void> {
    await this.#clients.ask(object, (client) => client.send(new DeleteObjectCommand(objectNames(object))));
  }
}

const pause = (attempt: number): Promise<void> => sleep(WAIT_MS * attempt * (1 + Math.random()));
