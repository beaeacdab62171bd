/** Those who change rows: each has a list of jobs, and does every one until it is told that it landed. */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { DataFile } from '../../iceberg/index.js';
import {
  type CommitOptions,
  type CommitResult,
  commitAppend,
  commitOverwrite,
  commitRowDelta,
  loadTable,
  type PlannedFile,
  planFiles,
  releaseLease,
  selectSnapshot,
  type Table,
  takeLease,
} from '../../tables/index.js';
import { ATTEMPT, type Effect } from './model.js';
import { isAnyListed, withoutKeys } from './planted-bugs.js';
import { type Row, readLiveRows, readPositions, writeKeys, writePositions, writeRows } from './row-files.js';
import { type Client, IDENTIFIER, type Role, type World } from './world.js';

const KEYS = 6;
const PARTITIONS = 2;
const KINDS = [
  'append',
  'upsert',
  'delete keys',
  'delete rows',
  'delete rows',
  'delete file',
  'overwrite rows',
  'replace partition',
  'replace files',
] as const;

interface Job {
  readonly key: string;
  readonly kind: (typeof KINDS)[number];
  readonly p: number;
  readonly rows: readonly Row[];
  /** Milliseconds between writing the files and committing them; a long run takes a lease. */
  readonly pauseMs: number;
}

/** Which bug is planted, for the tests that show that it is found. */
export interface WriterBugs {
  readonly skipsKeyLookup?: boolean;
  readonly cleansUpAfterUnknown?: boolean;
  /** After an unknown outcome it looks for its files in a list: what is not there has not been committed. */
  readonly looksForFilesInLists?: boolean;
  /** Files are named by their job alone, so that two attempts at it make one name; until a creation says that it is taken. */
  readonly namesByJob?: boolean;
}

/** How long a writer without a lease goes on with files once written. The grace of sweeps is longer. */
const STALE_MS = 10_000;
const LONG_MS = 200_000;
const LEASE_MS = 400_000n;

/** @param kinds of the jobs after the first one, which appends */
export function writerJobs(
  world: World,
  name: string,
  count: number,
  kinds: readonly Job['kind'][] = KINDS,
): readonly Job[] {
  const { random } = world;
  return Array.from({ length: count }, (_, index): Job => {
    const p = random.int(0, PARTITIONS - 1);
    const rows = Array.from({ length: random.int(1, 3) }, (_row, position) => ({
      id: Number(`${name.charCodeAt(0)}${index}${position}`),
      k: random.int(0, KEYS - 1),
      p,
    }));
    const kind = index === 0 ? 'append' : random.pick(kinds);
    return { key: `${name}-${index}`, kind, p, rows, pauseMs: random.chance(0.1) ? LONG_MS : random.int(0, 300) };
  });
}

/** Works through the jobs. Several workers may do so at once. */
export function writer(world: World, jobs: readonly Job[], bugs: WriterBugs = {}): Role {
  const done = new Set<string>();
  const taken = new Set<string>();
  let attempts = 0;
  return async (client) => {
    for (const job of jobs) {
      while (!done.has(job.key)) {
        attempts += 1;
        const attempt = `${job.key}/${attempts}`;
        const result = await new Writing(world, client, job, attempt, bugs, taken).run();
        if (result === null) continue;
        world.model.acknowledged(job.key, result.snapshotId);
        done.add(job.key);
      }
      await client.worker.clock.sleep(client.random.int(0, 2_000));
    }
  };
}

/** The files of a job in one attempt. */
interface Written extends CommitOptions {
  readonly commit: (options: CommitOptions) => Promise<CommitResult>;
  readonly effect: Effect;
}

/** One attempt at one job. */
class Writing {
  readonly #world: World;
  readonly #client: Client;
  readonly #job: Job;
  readonly #attempt: string;
  readonly #bugs: WriterBugs;
  /** Names that files have had already. */
  readonly #taken: Set<string>;
  readonly #files: string[] = [];

  constructor(world: World, client: Client, job: Job, attempt: string, bugs: WriterBugs, taken: Set<string>) {
    this.#world = world;
    this.#client = client;
    this.#job = job;
    this.#attempt = attempt;
    this.#bugs = bugs;
    this.#taken = taken;
  }

  /** Null: it did not land, or nobody knows; to be tried again. */
  async run(): Promise<CommitResult | null> {
    const { clock } = this.#client.worker;
    const isLong = this.#job.pauseMs >= LONG_MS;
    const { key } = this.#job;
    const name = this.#bugs.namesByJob === true && !this.#taken.has(key) ? key : this.#attempt.replace('/', '-');
    try {
      const table = await this.#load();
      if (isLong) await this.#takeLease(table, name);
      const startedMs = clock.monotonicMs();
      const written = await this.#write(table, name);
      await clock.sleep(this.#job.pauseMs);
      const result = await this.#commit(written, isLong ? undefined : startedMs + STALE_MS);
      if (isLong) await releaseLease(table, name);
      return result;
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #takeLease(table: Table, name: string): Promise<void> {
    const nowMs = BigInt(this.#client.worker.clock.nowMs());
    const lease = {
      id: name,
      kind: 'write',
      snapshotIds: [],
      filePrefixes: [`${name}.`, name],
      expiresAtMs: nowMs + LEASE_MS,
    };
    await takeLease(table, lease, nowMs);
  }

  async #commit({ commit, effect }: Written, staleAtMs: number | undefined): Promise<CommitResult> {
    const { key } = this.#job;
    this.#world.model.begin(this.#attempt, key, effect);
    return commit({
      run: { key },
      summary: new Map([[ATTEMPT, this.#attempt]]),
      validate: () => {
        if (staleAtMs === undefined || this.#client.worker.clock.monotonicMs() < staleAtMs) return;
        throw new MoraineError('COMMIT_CONFLICT', 'Simulated: the run has taken too long, its files may be swept.');
      },
    });
  }

  async #failed(error: unknown): Promise<null> {
    if (!isMoraineError(error)) throw error;
    if (error.code === 'COMMIT_STATE_UNKNOWN') {
      if (this.#bugs.cleansUpAfterUnknown === true) await this.#cleanUp();
      if (this.#bugs.looksForFilesInLists === true) await this.#lookForFiles();
    } else if (this.#bugs.namesByJob === true && error.code === 'FILE_ALREADY_EXISTS') {
      this.#taken.add(this.#job.key);
    } else if (error.retryable || error.code === 'COMMIT_CONFLICT' || error.code === 'FILE_NOT_FOUND') {
      this.#world.model.failed(this.#attempt);
    } else throw error;
    await this.#client.worker.clock.sleep(this.#client.random.int(0, 500));
    return null;
  }

  async #cleanUp(): Promise<void> {
    await Promise.all(this.#files.map((location) => this.#client.io.delete(location).catch(() => undefined)));
  }

  async #lookForFiles(): Promise<void> {
    const isThere = async () => isAnyListed(await this.#client.load(), this.#files);
    if (this.#files.length > 0 && !(await isThere().catch(() => true))) this.#world.model.failed(this.#attempt);
  }

  async #load(): Promise<Table> {
    const { client, skips } = { client: this.#client, skips: this.#bugs.skipsKeyLookup === true };
    return skips ? loadTable(withoutKeys(client.catalog), client.io, IDENTIFIER) : client.load();
  }

  async #write(table: Table, name: string): Promise<Written> {
    const { kind, p, rows } = this.#job;
    const added = new Map(rows.map((row) => [row.id, row]));
    const add: Effect = (before) => new Map([...before, ...added]);
    switch (kind) {
      case 'append': {
        const files = [await this.#rows(table, name)];
        return { commit: (options) => commitAppend(table, { files, ...options }), effect: add };
      }
      case 'upsert': {
        const keys = new Set(rows.map(({ k }) => k));
        const [files, deleteFiles] = [[await this.#rows(table, name)], [await this.#keys(table, name)]];
        return {
          commit: (options) => commitRowDelta(table, { files, deleteFiles, ...options }),
          effect: (before) => add(without(before, (row) => row.p === p && keys.has(row.k))),
        };
      }
      case 'delete keys': {
        const keys = new Set(rows.map(({ k }) => k));
        const deleteFiles = [await this.#keys(table, name)];
        return {
          commit: (options) => commitRowDelta(table, { deleteFiles, ...options }),
          effect: (before) => without(before, (row) => row.p === p && keys.has(row.k)),
        };
      }
      case 'delete rows':
        return this.#deleteRows(table, name);
      case 'delete file':
        return this.#deleteFile(table);
      case 'overwrite rows':
        return this.#overwriteRows(table, name);
      case 'replace partition': {
        const files = [await this.#rows(table, name)];
        const removePartitions = { specId: 0, tuples: [[p]] };
        return {
          commit: (options) => commitOverwrite(table, { files, removePartitions, ...options }),
          effect: (before) => add(without(before, (row) => row.p === p)),
        };
      }
      case 'replace files':
        return this.#replaceFiles(table, name, add);
    }
  }

  /** Some rows of one file, by position. */
  async #deleteRows(table: Table, name: string): Promise<Written> {
    const planned = await this.#someFile(table);
    if (planned === null) return this.#nothing(table);
    const live = await readLiveRows(table.io, planned);
    const gone = this.#client.random.some(live, 1, 2);
    const { vector } = planned.deletes ?? {};
    const isVersion3 = table.metadata.formatVersion === 3;
    const older = isVersion3 && vector !== undefined ? await readPositions(table.io, [vector.file]) : [];
    const positions = [...new Set([...older, ...gone.map(({ position }) => position)])];
    const deleteFile = await writePositions(table, name, planned.file, positions);
    this.#files.push(deleteFile.filePath);
    const removeDeleteFiles = isVersion3 && vector !== undefined ? [vector.file] : [];
    const ids = new Set(gone.map(({ id }) => id));
    return {
      commit: (options) =>
        commitRowDelta(table, {
          deleteFiles: [deleteFile],
          removeDeleteFiles,
          plannedOn: table.metadata.currentSnapshotId,
          ...options,
        }),
      effect: (before) => without(before, ({ id }) => ids.has(id)),
    };
  }

  /** A whole file, as deletes remove one that loses its last row. */
  async #deleteFile(table: Table): Promise<Written> {
    const planned = await this.#someFile(table);
    if (planned === null) return this.#nothing(table);
    const ids = new Set((await readLiveRows(table.io, planned)).map(({ id }) => id));
    const removeFiles = [planned.file.filePath];
    return {
      commit: (options) =>
        commitRowDelta(table, { removeFiles, plannedOn: table.metadata.currentSnapshotId, ...options }),
      effect: (before) => without(before, ({ id }) => ids.has(id)),
    };
  }

  /** Copy-on-write: one file is replaced by one without some of its rows, unless its partition has changed since. */
  async #overwriteRows(table: Table, name: string): Promise<Written> {
    const planned = await this.#someFile(table);
    if (planned === null) return this.#nothing(table);
    const live = await readLiveRows(table.io, planned);
    const gone = new Set(this.#client.random.some(live, 1, 2).map(({ id }) => id));
    const kept = live.filter(({ id }) => !gone.has(id)).map(({ id, k, p }) => ({ id, k, p }));
    const [first] = kept;
    const files = first === undefined ? [] : [await writeRows(table, name, first.p, kept)];
    this.#files.push(...files.map(({ filePath }) => filePath));
    return {
      commit: replacing(table, planned, files),
      effect: (before) => without(before, ({ id }) => gone.has(id)),
    };
  }

  /** Copy-on-write: one file is replaced by one with other rows, unless its partition has changed since. */
  async #replaceFiles(table: Table, name: string, add: Effect): Promise<Written> {
    const planned = await this.#someFile(table);
    if (planned === null) return this.#nothing(table);
    const ids = new Set((await readLiveRows(table.io, planned)).map(({ id }) => id));
    const files = [await this.#rows(table, name)];
    return {
      commit: replacing(table, planned, files),
      effect: (before) => add(without(before, ({ id }) => ids.has(id))),
    };
  }

  #nothing(table: Table): Written {
    return { commit: (options) => commitAppend(table, { ...options }), effect: (before) => before };
  }

  async #someFile(table: Table): Promise<PlannedFile | null> {
    const { schema, snapshot } = selectSnapshot(table.metadata);
    const { files } = await planFiles(table, { schema, snapshot, appliesDeletes: true });
    return files.length === 0 ? null : this.#client.random.pick(files);
  }

  async #rows(table: Table, name: string) {
    const file = await writeRows(table, name, this.#job.p, this.#job.rows);
    this.#files.push(file.filePath);
    return file;
  }

  async #keys(table: Table, name: string) {
    const keys = this.#job.rows.map(({ k }) => k);
    const file = await writeKeys(table, name, this.#job.p, keys);
    this.#files.push(file.filePath);
    return file;
  }
}

/** Copy-on-write of one file. */
function replacing(table: Table, { file }: PlannedFile, files: readonly DataFile[]): Written['commit'] {
  const request = {
    files,
    removeFiles: [file.filePath],
    validateNoNewFilesFrom: table.metadata.currentSnapshotId,
  };
  return (options) => commitOverwrite(table, { ...request, ...options });
}

function without(rows: ReadonlyMap<number, Row>, isGone: (row: Row) => boolean): ReadonlyMap<number, Row> {
  return new Map([...rows].filter(([, row]) => !isGone(row)));
}
