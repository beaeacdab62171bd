/**
 * The orphan sweep: files in a table's folders that nothing reaches. What is reached is read first, then the folders are listed, and before
 * anything is deleted the table is looked at once more, so that what was committed meanwhile stays.
 */

import { isMoraineError } from '../../errors/index.js';
import type { Snapshot, TableMetadata } from '../../iceberg/index.js';
import type { FileIO, FileStatus } from '../../storage/index.js';
import type { Table } from '../../tables/index.js';
import { activeLeases, type Lease } from '../../tables/index.js';
import type { MaintenanceDeps } from '../deps.js';
import { requireGarbageCollection } from '../expiry/expiry-plan.js';
import { tableName } from '../table-name.js';
import { CanonicalPaths, prefixMismatch } from './canonical-paths.js';
import { keepFilesOfOthers, ownPlaces } from './other-tables.js';
import { type OwnFolders, requireOwnFolders } from './own-folders.js';
import { filesOfMetadata, filesOfSnapshots, type TableFile } from './table-files.js';

/** Files of a page of the listing. A page of local files reads its folder anew, so that small pages of a large one cost much. */
const PAGE_FILES = 10_000;
/** Orphans that are held at once. */
const MAX_ORPHANS = 50_000;
/** A file that engines of Hadoop tables read and that no metadata names. */
const VERSION_HINT = 'version-hint.text';

export interface SweepSettings {
  /** The present, in milliseconds since the epoch: see `safeNowMs`. */
  readonly nowMs: bigint;
  /** Files that are younger stay. */
  readonly olderThanMs: bigint;
  /** Where a sweep before has ended. */
  readonly after?: string;
  /** For a dry run: snapshots that are taken to have gone, the files that only they reach, and what keeps the other snapshots. */
  readonly expired?: {
    readonly snapshotIds: ReadonlySet<bigint>;
    /** By canonical path. */
    readonly files: ReadonlyMap<string, unknown>;
    readonly kept: ReadonlyMap<bigint, string>;
    /** Locations of metadata files that are taken to have left the log. */
    readonly metadataFiles: ReadonlySet<string>;
  };
}

/** Verdict on a file, with its reason. */
export interface FileVerdict {
  /** Canonical path. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** Start of an orphan's age, as in `FileStatus`. */
  readonly appearedMs: number;
  readonly action: 'keep' | 'delete';
  readonly reason: string;
}

type SweepDeps = Pick<MaintenanceDeps, 'loadTable' | 'tables' | 'datasets' | 'isConfigured' | 'guardedPlaces'>;

/** One sweep of one table. */
export class Sweep {
  readonly #deps: SweepDeps;
  readonly #name: string;
  readonly #settings: SweepSettings;
  readonly #reached = new Map<string, string>();
  readonly #snapshots = new Set<bigint>();
  /** Leases of all tables. */
  #leases: readonly Lease[] = [];
  #orphans = new Map<string, FileStatus>();
  /** The table's folders, once verdicts were asked for. */
  folders: readonly string[] = [];
  /** Where the next sweep begins; null: this one has seen the whole folder. */
  next: string | null = null;

  /** @param name the table, `[CATALOG/]NS.TABLE` */
  constructor(deps: SweepDeps, name: string, settings: SweepSettings) {
    this.#deps = deps;
    this.#name = name;
    this.#settings = settings;
  }

  /**
   * Judges the files of the table's folders: those that stay as they are listed, orphans at the end of this part of a folder.
   * @throws MoraineError `LOCATION_REFUSED` if the table names files that cannot be compared with the listed ones, `MANIFEST_CORRUPT`,
   *   `FILE_NOT_FOUND` for a manifest that it needs; `FOLDER_SHARED` for a table whose folders are not its own; `INVALID_ARGUMENT` for one
   *   whose files must not be deleted
   */
  async *verdicts(): AsyncGenerator<FileVerdict> {
    const table = await this.#deps.loadTable(this.#name);
    requireGarbageCollection(table.metadata);
    const own = await this.#lookAround(table);
    await this.#reachNewest(table, new CanonicalPaths(table.io));
    await table.io.canonical(table.metadata.location); // refused if nothing may be deleted there
    this.folders = own.outermost;
    for await (const file of this.#listed(table.io, this.folders)) {
      if (!own.hold(file.location)) throw prefixMismatch(tableName(table), file.location, undefined);
      const reason = this.#reasonToKeep(file);
      if (reason === null) this.#orphans.set(file.location, file);
      else if (this.#settings.expired?.files.has(file.location) !== true) yield verdictOf(file, 'keep', reason);
    }
    yield* this.#judgeOrphans();
  }

  /**
   * Remembers what the table reaches. An expiry may delete files of snapshots while they are looked at: then the state without these snapshots counts.
   * @returns the state whose files are known
   */
  async #reachNewest(table: Table, paths: CanonicalPaths): Promise<Table> {
    try {
      await this.#reach(table, paths);
      return table;
    } catch (error) {
      if (!isMoraineError(error, 'FILE_NOT_FOUND')) throw error;
      const newer = await this.#deps.loadTable(this.#name);
      const kept = new Set(newer.metadata.snapshots.map(({ snapshotId }) => snapshotId));
      if (table.metadata.snapshots.every(({ snapshotId }) => kept.has(snapshotId))) throw error;
      return await this.#reachNewest(newer, paths);
    }
  }

  /** Remembers what the table reaches, as far as it is not known yet. */
  async #reach(table: Table, paths: CanonicalPaths): Promise<void> {
    const { snapshotIds: expired, kept, metadataFiles } = this.#settings.expired ?? {};
    for (const file of filesOfMetadata(table, expired, metadataFiles)) await this.#remember(table, paths, file);
    const fresh = currentFirst(table.metadata).filter(
      ({ snapshotId }) => !this.#snapshots.has(snapshotId) && expired?.has(snapshotId) !== true,
    );
    const why = (snapshotId: bigint): string => {
      const reason = kept?.get(snapshotId);
      return reason === undefined ? '' : `: ${reason}`;
    };
    for await (const file of filesOfSnapshots(table, fresh, undefined, why)) await this.#remember(table, paths, file);
    for (const { snapshotId } of fresh) this.#snapshots.add(snapshotId);
  }

  async #remember(table: Table, paths: CanonicalPaths, { location, reason }: TableFile): Promise<void> {
    for (const path of await ownPlaces(table, paths, location)) {
      if (!this.#reached.has(path)) this.#reached.set(path, reason);
    }
  }

  /** Makes sure that the table's folders are its own, and sees the leases of every table. */
  async #lookAround(table: Table): Promise<OwnFolders> {
    const leases: Lease[] = [];
    const own = await requireOwnFolders(this.#deps, table, ({ metadata }) =>
      leases.push(...activeLeases(metadata, this.#settings.nowMs)),
    );
    this.#leases = leases;
    return own;
  }

  /** The files of folders, one folder after the other, from where a sweep before has ended. */
  async *#listed(io: FileIO, folders: readonly string[]): AsyncGenerator<FileStatus> {
    let place = placeOf(this.#settings.after);
    for (;;) {
      const folder = folders[place.folder];
      if (folder === undefined) return;
      const options = { maxFiles: PAGE_FILES, ...(place.after === undefined ? {} : { after: place.after }) };
      const { files, next } = await io.listPage(folder, options);
      yield* files;
      place = next === null ? { folder: place.folder + 1 } : { folder: place.folder, after: next };
      this.next = place.folder < folders.length ? textOfPlace(place) : null;
      if (this.next === null || this.#orphans.size >= MAX_ORPHANS) return;
    }
  }

  #reasonToKeep(file: FileStatus): string | null {
    const reached = this.#reached.get(file.location);
    if (reached !== undefined) return reached;
    if (this.#settings.expired?.files.has(file.location) === true) return '';
    const { nowMs, olderThanMs } = this.#settings;
    const ageMs = nowMs - BigInt(Math.floor(file.appearedMs));
    if (ageMs <= olderThanMs) return 'nothing reaches it, but it is young: it may belong to a run in flight';
    return this.#protector(file.location);
  }

  /** The reason to keep a file that nothing reaches, however old it is. */
  #protector(path: string): string | null {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name === VERSION_HINT) return 'engines of Hadoop tables read it';
    const lease = this.#leases.find(({ filePrefixes }) => filePrefixes.some((prefix) => name.startsWith(prefix)));
    return lease === undefined ? null : `${lease.kind} ${lease.id} is in flight`;
  }

  /** Looks once more, at the newest state of this table, of all others and of links, before it calls anything an orphan. */
  async *#judgeOrphans(): AsyncGenerator<FileVerdict> {
    if (this.#orphans.size === 0) return;
    const kept = new Map<string, string>();
    const loaded = await this.#deps.loadTable(this.#name);
    const paths = new CanonicalPaths(loaded.io);
    const table = await this.#reachNewest(loaded, paths);
    await this.#lookAround(table);
    await keepFilesOfOthers(table, this.#deps, paths, (path, reason) => {
      if (this.#orphans.has(path)) kept.set(path, reason);
    });
    for (const [path, file] of this.#orphans) {
      const reason = this.#reached.get(path) ?? kept.get(path) ?? this.#protector(path);
      if (reason === null) yield verdictOf(file, 'delete', 'nothing reaches it, and it is old');
      else yield verdictOf(file, 'keep', reason);
    }
    this.#orphans = new Map();
  }
}

/** Where the listing of a table's folders goes on. */
interface Place {
  /** Which folder. */
  readonly folder: number;
  /** Where a page of it has ended; absent: from its beginning. */
  readonly after?: string;
}

/** The first folder's places are those of its listing alone, as workflows that are in flight have them. */
const FURTHER_FOLDER = /^folder (\d+):(.*)$/s;

function placeOf(text: string | undefined): Place {
  if (text === undefined) return { folder: 0 };
  const [, folder, after] = FURTHER_FOLDER.exec(text) ?? [];
  if (folder === undefined) return { folder: 0, after: text };
  return { folder: Number(folder), ...(after === '' || after === undefined ? {} : { after }) };
}

function textOfPlace({ folder, after = '' }: Place): string {
  return folder === 0 ? after : `folder ${folder}:${after}`;
}

/** The current snapshot keeps a file for longer than any other does, and the newest for longer than older ones: it is named. */
function currentFirst({ snapshots, currentSnapshotId }: TableMetadata): readonly Snapshot[] {
  const current = snapshots.filter(({ snapshotId }) => snapshotId === currentSnapshotId);
  return [...current, ...snapshots.filter(({ snapshotId }) => snapshotId !== currentSnapshotId).toReversed()];
}

export function verdictOf(file: FileStatus, action: FileVerdict['action'], reason: string): FileVerdict {
  const { location: path, ...status } = file;
  return { path, ...status, action, reason };
}
