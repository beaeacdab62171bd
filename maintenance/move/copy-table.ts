/**
 * Copying what a table reaches: data files as they are, delete files with new paths, then the manifests that list them, then the manifest
 * lists. A file is written after those that it names, so that whatever is there is complete.
 */
import { isMoraineError } from '../../errors/index.js';
import {
  type DataFile,
  type ManifestFile,
  type RelocatedDeletes,
  readManifest,
  relocateManifest,
  relocateManifestList,
  type Snapshot,
} from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { mapConcurrently, readKept } from '../../storage/index.js';
import { idempotencyFiles, manifestContext, readSnapshotManifests, type Table } from '../../tables/index.js';
import { statisticsFiles } from '../sweep/table-files.js';
import { type CopyDeletesDeps, copyPositionDeletes } from './copy-deletes.js';
import { Lanes } from './lanes.js';

const MAX_BYTES = 512 * 2 ** 20;
/** Files that are copied at a time; each takes some pieces of memory. */
const FILES_AT_ONCE = 6;

/** How far a move is. */
export interface MoveProgress {
  /** Manifests that are known so far, and those that are copied with all that they list. */
  readonly manifests: number;
  readonly manifestsCopied: number;
  /** Data and delete files that are in their new place. */
  readonly files: number;
  /** Files that were there already, from an earlier attempt. */
  readonly reusedFiles: number;
  readonly bytesWritten: bigint;
}

/** Copies one state of a table after another; what was copied for an earlier state is known. */
export class TableCopy {
  readonly #deps: CopyDeletesDeps;
  readonly #onProgress: (progress: MoveProgress) => void;
  readonly #lanes = new Lanes(FILES_AT_ONCE);
  /** The engine works on one file at a time with all its threads. */
  readonly #deleteLane = new Lanes(1);
  /** Data and delete files by their old locations; null for those that are copied as they are. */
  readonly #files = new Map<Location, Promise<RelocatedDeletes | null>>();
  /** The lengths of copied manifests, by their old locations. */
  readonly #manifests = new Map<Location, bigint>();
  readonly #lists = new Set<Location>();
  #known = 0;
  #done = 0;

  constructor(deps: CopyDeletesDeps, onProgress: (progress: MoveProgress) => void = () => undefined) {
    this.#deps = deps;
    this.#onProgress = onProgress;
  }

  get progress(): MoveProgress {
    const { reusedFiles, writtenBytes } = this.#deps.target;
    return {
      manifests: this.#known,
      manifestsCopied: this.#manifests.size,
      files: this.#done,
      reusedFiles,
      bytesWritten: writtenBytes,
    };
  }

  /**
   * Copies everything that the table's snapshots and statistics reach, and nothing that is copied already.
   * @throws MoraineError `FILE_NOT_FOUND`, `MANIFEST_CORRUPT` and so on, naming the file; `FILE_ALREADY_EXISTS` for another file in the new place
   */
  async copy(table: Table): Promise<void> {
    const { target, relocation } = this.#deps;
    const fresh = table.metadata.snapshots.filter(({ snapshotId, manifestList }) => {
      return !this.#lists.has(manifestList ?? `snapshot ${snapshotId}`);
    });
    const manifests = new Map<Location, ManifestFile>();
    await mapConcurrently(fresh, async (snapshot) => {
      for (const manifest of await readSnapshotManifests(table.io, snapshot, 'once')) {
        if (!this.#manifests.has(manifest.manifestPath)) manifests.set(manifest.manifestPath, manifest);
      }
    });
    this.#known = this.#manifests.size + manifests.size;
    await mapConcurrently([...manifests.values()], (manifest) => this.#copyManifest(table, manifest));
    await mapConcurrently(fresh, (snapshot) => this.#copyList(table, snapshot));
    const others = [...statisticsFiles(table.metadata), ...idempotencyFiles(table.metadata)];
    await mapConcurrently(others, ({ location }) => {
      return this.#once(location, () => target.copy(location, relocation.of(location)));
    });
  }

  async #copyManifest(table: Table, manifest: ManifestFile): Promise<void> {
    const { target, relocation } = this.#deps;
    const { manifestPath } = manifest;
    const [bytes, entries] = await readKept(table.io, manifestPath, { maxBytes: MAX_BYTES }, (content) => {
      return [content, readManifest(content, manifestContext(table.metadata), manifest)] as const;
    });
    const rewritten = new Map<Location, RelocatedDeletes>();
    const live = entries.filter(({ status }) => status !== 'deleted');
    await allEnded(
      live.map(async ({ dataFile }) => {
        const relocated = await this.#copyFile(dataFile);
        if (relocated !== null) rewritten.set(dataFile.filePath, relocated);
      }),
    );
    const moved = relocateManifest(bytes, manifestPath, (location) => relocation.of(location), rewritten);
    await target.put(relocation.of(manifestPath), moved);
    this.#manifests.set(manifestPath, BigInt(moved.length));
    this.#onProgress(this.progress);
  }

  /** Several manifests may list one file, and several vectors share one. */
  #copyFile(file: DataFile): Promise<RelocatedDeletes | null> {
    const { target, relocation } = this.#deps;
    const { filePath } = file;
    if (file.content !== 'position-deletes')
      return this.#once(filePath, () => target.copy(filePath, relocation.of(filePath)));
    const lanes = file.fileFormat === 'PARQUET' ? this.#deleteLane : this.#lanes;
    return this.#once(filePath, () => copyPositionDeletes(this.#deps, file), lanes);
  }

  #once(
    location: Location,
    work: () => Promise<RelocatedDeletes | void>,
    lanes: Lanes = this.#lanes,
  ): Promise<RelocatedDeletes | null> {
    let copied = this.#files.get(location);
    if (copied === undefined) {
      copied = lanes.run(async () => {
        const relocated = (await work()) ?? null;
        this.#done += 1;
        this.#onProgress(this.progress);
        return relocated;
      });
      this.#files.set(location, copied);
      // Whoever copies the next state of the table tries again.
      copied.catch(() => this.#files.delete(location));
    }
    return copied;
  }

  async #copyList(table: Table, snapshot: Snapshot): Promise<void> {
    const { target, relocation } = this.#deps;
    const { manifestList, snapshotId } = snapshot;
    if (manifestList !== undefined) {
      const relocate = (location: Location): Location => relocation.of(location);
      const moved = await readKept(table.io, manifestList, { maxBytes: MAX_BYTES }, (bytes) =>
        relocateManifestList(bytes, manifestList, relocate, this.#manifests),
      );
      await target.put(relocation.of(manifestList), moved);
    }
    this.#lists.add(manifestList ?? `snapshot ${snapshotId}`);
  }
}

/** Waits for all of them, so that nothing is still being written when the first failure is told. */
async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  const ended = await Promise.allSettled(work);
  const failures = ended.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  // A missing file says more than that others were given up.
  if (failures.length > 0) throw failures.find((failure) => isMoraineError(failure, 'FILE_NOT_FOUND')) ?? failures[0];
}
