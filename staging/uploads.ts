/** Finished files on their way to a store, some at a time, while others are written. */
import { mkdtemp, open, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Location } from '../locations/index.js';
import type { FileIO } from '../storage/index.js';

/** Files that are on their way at a time: a partitioned write makes many small ones, whose answers take longer than their bytes. */
const UPLOADS_AT_ONCE = 8;

/** Larger files go alone, since their parts are on their way together. */
const LARGE_BYTES = 8 * 2 ** 20;

/** Bytes of a large file that are read at a time. */
const BLOCK_BYTES = 4 * 2 ** 20;

/** Whoever writes files waits while more bytes than this have not been uploaded. */
const MAX_WAITING_BYTES = 256 * 2 ** 20;

interface FileToUpload {
  readonly path: string;
  readonly location: Location;
}

interface WaitingFile extends FileToUpload {
  readonly sizeBytes: number;
}

/** See the head of the file. The files of one attempt become objects together, or none remains. */
export class Uploads {
  readonly #io: FileIO;
  readonly #tempDirectory: string;
  readonly #maxWaitingBytes: number;
  readonly #queue: WaitingFile[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #done: Location[] = [];
  #folder: string | undefined;
  #taken = 0;
  #waitingBytes = 0;
  #busySlots = 0;
  #failure: { readonly error: unknown } | undefined;

  /** @param tempDirectory a folder on the file system of the files */
  constructor(io: FileIO, tempDirectory: string, maxWaitingBytes = MAX_WAITING_BYTES) {
    this.#io = io;
    this.#tempDirectory = tempDirectory;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  /**
   * Takes files over: each is deleted once it is uploaded.
   * @returns when there is room for more files
   * @throws what the upload of an earlier one threw
   */
  async add(files: readonly FileToUpload[]): Promise<void> {
    this.#folder ??= await mkdtemp(join(this.#tempDirectory, 'uploads-'));
    for (const { path, location } of files) {
      const { size: sizeBytes } = await stat(path);
      const taken = join(this.#folder, `${this.#taken}.parquet`);
      this.#taken += 1;
      await rename(path, taken);
      this.#waitingBytes += sizeBytes;
      this.#queue.push({ path: taken, location, sizeBytes });
      this.#begin();
    }
    await this.#untilAtMost(this.#maxWaitingBytes);
  }

  /** Waits for every upload. @throws what one of them threw */
  async finish(): Promise<void> {
    await this.#untilAtMost(0);
  }

  /** Ends what is on its way and deletes what was uploaded. */
  async abandon(): Promise<void> {
    this.#queue.length = 0;
    await Promise.allSettled(this.#running);
    await this.#io.delete(...this.#done).catch(() => undefined); // the first error is the one to report
  }

  /** Deletes the files that were taken and not uploaded. */
  async close(): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async #untilAtMost(bytes: number): Promise<void> {
    while (this.#failure === undefined && this.#running.size > 0 && (bytes === 0 || this.#waitingBytes > bytes)) {
      await Promise.race(this.#running);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Begins the uploads that there is room for, in order. */
  #begin(): void {
    for (;;) {
      const [next] = this.#queue;
      if (next === undefined || this.#failure !== undefined) return;
      const slots = next.sizeBytes > LARGE_BYTES ? UPLOADS_AT_ONCE : 1;
      if (this.#busySlots + slots > UPLOADS_AT_ONCE) return;
      this.#queue.shift();
      this.#busySlots += slots;
      const upload = this.#upload(next)
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => {
          this.#running.delete(upload);
          this.#busySlots -= slots;
          this.#begin();
        });
      this.#running.add(upload);
    }
  }

  async #upload({ path, location, sizeBytes }: WaitingFile): Promise<void> {
    await this.#io.createFrom(location, sizeBytes > LARGE_BYTES ? blocksOf(path) : whole(path));
    this.#done.push(location);
    await unlink(path).catch(() => undefined); // it goes with the folder
    this.#waitingBytes -= sizeBytes;
  }
}

async function* whole(path: string): AsyncGenerator<Uint8Array> {
  yield await readFile(path);
}

async function* blocksOf(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path);
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(BLOCK_BYTES), 0, BLOCK_BYTES, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
