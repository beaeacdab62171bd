/** A registry file of Feast that follows the definitions while the service runs. */
import { isDeepStrictEqual } from 'node:util';
import { resolveViews } from '../client/index.js';
import { exportRegistry, type LeftOut, replaceFile } from '../feast/index.js';
import type { Project } from '../project/index.js';

/** Milliseconds between two looks at the definitions. */
const LOOK_MS = 500;
/** Milliseconds after which views that were left out are looked at again. */
const RETRY_MS = 10_000;

export interface FeastRegistryFileOptions {
  readonly project: Project;
  /** Absolute path. */
  readonly path: string;
  /** Name of the project in Feast. */
  readonly feastProject: string;
  /** Is told why the file could not be written, once for each reason; it stays as it was, and is tried again. */
  readonly failed: (error: unknown) => void;
  /** Is told what the file lacks, each time that this changes. */
  readonly leftOut: (definition: LeftOut) => void;
  /** In place of 10,000 ms. */
  readonly retryMs?: number;
}

export class FeastRegistryFile {
  readonly #options: FeastRegistryFileOptions;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  /** Snapshot of the definitions that the file has; undefined: it was not written yet. */
  #written: bigint | null | undefined;
  #told = '';
  /** What the file lacks. */
  #leftOut: readonly LeftOut[] = [];
  #triedAtMs = 0;

  private constructor(options: FeastRegistryFileOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#look().catch((error: unknown) => this.#failed(error)), LOOK_MS).unref();
  }

  /** Writes the file, and again after each change. @throws as the first writing does */
  static async start(options: FeastRegistryFileOptions): Promise<FeastRegistryFile> {
    const file = new FeastRegistryFile(options);
    try {
      await file.#look();
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking?.catch(() => undefined);
  }

  #failed(error: unknown): void {
    const reason = String(error);
    if (reason !== this.#told) this.#options.failed(error);
    this.#told = reason;
  }

  /** One look at a time. */
  #look(): Promise<void> {
    this.#looking ??= this.#writeIfChanged().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** A source table may have been made, or changed, since. */
  #mayRetry(): boolean {
    const { retryMs = RETRY_MS } = this.#options;
    return this.#leftOut.length > 0 && performance.now() - this.#triedAtMs >= retryMs;
  }

  async #writeIfChanged(): Promise<void> {
    const { project, path, feastProject } = this.#options;
    const { definitions, snapshotId } = await (await project.registry()).read();
    const isWritten = snapshotId === this.#written;
    if (isWritten && !this.#mayRetry()) return;
    const bound = await resolveViews(project, definitions);
    const exported = exportRegistry({ project: feastProject, definitions, ...bound, changedMs: Date.now() });
    const { registry, leftOut } = exported;
    this.#triedAtMs = performance.now();
    const lacksTheSame = isDeepStrictEqual(leftOut, this.#leftOut);
    if (isWritten && lacksTheSame) return;
    await replaceFile(path, registry);
    if (!lacksTheSame) for (const definition of leftOut) this.#options.leftOut(definition);
    this.#leftOut = leftOut;
    this.#written = snapshotId;
    this.#told = '';
  }
}
