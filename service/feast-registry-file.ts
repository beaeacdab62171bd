/** A registry file of Feast that follows the definitions while the service runs. */
import { resolveViews } from '../client/index.js';
import { exportRegistry, replaceFile } from '../feast/index.js';
import type { Project } from '../project/index.js';

/** Milliseconds between two looks at the definitions. */
const LOOK_MS = 500;

export interface FeastRegistryFileOptions {
  readonly project: Project;
  /** Absolute path. */
  readonly path: string;
  /** Name of the project in Feast. */
  readonly feastProject: string;
  /** Is told why the file could not be written, once for each reason; it stays as it was, and is tried again. */
  readonly failed: (error: unknown) => void;
}

export class FeastRegistryFile {
  readonly #options: FeastRegistryFileOptions;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  /** Snapshot of the definitions that the file has; undefined: it was not written yet. */
  #written: bigint | null | undefined;
  #told = '';

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

  async #writeIfChanged(): Promise<void> {
    const { project, path, feastProject } = this.#options;
    const { definitions, snapshotId } = await (await project.registry()).read();
    if (snapshotId === this.#written) return;
    const views = await resolveViews(project, definitions);
    const registry = exportRegistry({ project: feastProject, definitions, views, changedMs: Date.now() });
    await replaceFile(path, registry);
    this.#written = snapshotId;
    this.#told = '';
  }
}
