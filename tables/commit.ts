/**
 * Committing snapshots. A commit is prepared on the newest base, tried once, and its outcome is one of three: it landed,
 * it certainly did not (then it is prepared again on the newer base), or nobody knows (then it is looked for by its key
 * and snapshot id; nothing is deleted and nothing is repeated here).
 */
import {
  afterOutcome,
  type Catalog,
  type CommitRequest,
  formatTableName,
  requireChangeable,
} from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { findSnapshot, type TableMetadata } from '../iceberg/index.js';
import { Attempts, clockOf, commitRetry, lookRepeatedly, persistently, statusCheck } from './conflicts.js';
import { commitUnmoved, requireUnmoved } from './moved-table.js';
import { findRun, type RunMarker } from './run-marker.js';
import { loadTable, type Table } from './table.js';

/** Options of every commit. */
export interface CommitOptions {
  /** Makes the commit recognisable: work with this key lands once. */
  readonly run?: RunMarker;
  /** Further properties of the snapshot's summary, or what gives them for every base that is tried. */
  readonly summary?:
    | ReadonlyMap<string, string>
    | ((base: TableMetadata, newSnapshotId: bigint) => ReadonlyMap<string, string>);
  /** Table properties to set in the same commit, computed anew for every base that is tried. */
  readonly properties?: (base: TableMetadata, newSnapshotId: bigint) => ReadonlyMap<string, string>;
  /** Called with every base before it is built on; what it throws ends the commit. */
  readonly validate?: (base: TableMetadata) => void | Promise<void>;
  /** Whether `validate` goes by the base's schema: a catalog applies a commit to whatever schema is current by then, unless it is told not to. */
  readonly requiresSchema?: boolean;
  /** Whether the work is costly to plan again: then the commit is tried more often than the table's properties say. */
  readonly isCostly?: boolean;
}

export interface CommitResult {
  readonly snapshotId: bigint;
  /** `already-committed`: an earlier attempt of the same run had landed; nothing was done. */
  readonly outcome: 'committed' | 'already-committed';
  /** How many times the catalog was asked to commit. */
  readonly attempts: number;
  /** The table's metadata with the snapshot in it, or in its past. */
  readonly metadata: TableMetadata;
  readonly metadataLocation: string;
  /** Manifests that the snapshot lists; null for one of an earlier attempt. */
  readonly manifestCount: number | null;
}

/** One attempt, prepared on one base. */
export interface PreparedCommit {
  readonly snapshotId: bigint;
  readonly request: CommitRequest;
  /** Manifests that the snapshot lists. */
  readonly manifestCount: number;
  /** Files that only this attempt refers to; deleted if it certainly did not land. */
  readonly ownFiles: readonly string[];
}

type Outcome =
  | {
      readonly kind: 'committed';
      readonly snapshotId: bigint;
      readonly metadata: TableMetadata;
      readonly metadataLocation: string;
    }
  | { readonly kind: 'conflict'; readonly error: MoraineError };

/**
 * The catalog that commits of a table go to. Throws `INVALID_ARGUMENT` for one that was opened by location, and `UNSUPPORTED_FEATURE` for
 * one of a catalog that is only read.
 */
export function requireCatalog(table: Table): Catalog {
  if (table.catalog !== undefined) {
    requireChangeable(table.catalog);
    return table.catalog;
  }
  const message = `${table.metadataLocation} was opened by location: to write it, open it through a catalog.`;
  throw new MoraineError('INVALID_ARGUMENT', message);
}

/** The catalog of a table that snapshots can be added to, or an error that says why not. */
export function requireWritable(table: Table): Catalog {
  const catalog = requireCatalog(table);
  if (table.metadata.formatVersion !== 1) return catalog;
  const name = formatTableName(table.identifier);
  const message = `Table ${name} has format version 1; versions 2 and 3 are written: upgrade it first (moraine table upgrade).`;
  throw new MoraineError('FORMAT_VERSION_UNSUPPORTED', message);
}

/** Loads the table anew. Throws `TABLE_REPLACED` if another table has its name now. */
export async function reload(table: Table, catalog: Catalog): Promise<Table> {
  const current = await loadTable(catalog, table.io, table.identifier);
  if (current.metadata.tableUuid === table.metadata.tableUuid) return current;
  const message = `Table ${formatTableName(table.identifier)} has the uuid ${current.metadata.tableUuid}, not ${table.metadata.tableUuid}: it was dropped and created again.`;
  throw new MoraineError('TABLE_REPLACED', message);
}

function findCommitted(metadata: TableMetadata, prepared: PreparedCommit, run: RunMarker | undefined): bigint | null {
  if (findSnapshot(metadata, prepared.snapshotId) !== undefined) return prepared.snapshotId;
  return run === undefined ? null : findRun(metadata, run);
}

/**
 * After an unknown outcome: looks for the commit a few times. Not finding it proves nothing, it may land later. What is found may
 * be the snapshot of another attempt of the same run.
 */
async function resolveUnknown(
  table: Table,
  catalog: Catalog,
  prepared: PreparedCommit,
  run: RunMarker | undefined,
  error: unknown,
): Promise<Outcome> {
  const outcome = await lookRepeatedly<Outcome>(statusCheck(table.metadata), catalog, async () => {
    const current = await reload(table, catalog).catch(() => undefined);
    const found = current === undefined ? null : findCommitted(current.metadata, prepared, run);
    if (current === undefined || found === null) return undefined;
    const { metadata, metadataLocation } = current;
    return { kind: 'committed', snapshotId: found, metadata, metadataLocation };
  });
  if (outcome !== undefined) return outcome;
  const reason = error instanceof Error ? error.message : String(error);
  const message = `It is unknown whether snapshot ${prepared.snapshotId} of table ${formatTableName(table.identifier)} was committed: ${reason} Nothing was deleted.`;
  const details = { snapshotId: prepared.snapshotId.toString(), ...(run === undefined ? {} : { runKey: run.key }) };
  throw new MoraineError('COMMIT_STATE_UNKNOWN', message, { details, cause: error });
}

async function attempt(
  base: Table,
  catalog: Catalog,
  prepared: PreparedCommit,
  run: RunMarker | undefined,
): Promise<Outcome> {
  try {
    const { metadata, metadataLocation } = await commitUnmoved(catalog, base, prepared.request);
    return { kind: 'committed', snapshotId: prepared.snapshotId, metadata, metadataLocation };
  } catch (error) {
    if (isMoraineError(error, 'COMMIT_CONFLICT')) return { kind: 'conflict', error };
    if (isMoraineError(error) && error.code !== 'COMMIT_STATE_UNKNOWN') throw error;
    return resolveUnknown(base, catalog, prepared, run, error);
  }
}

/**
 * Commits what `prepare` builds, on the newest base, until it lands or an error says why it cannot.
 * @throws MoraineError `COMMIT_CONFLICT` once the retries are used up, `COMMIT_STATE_UNKNOWN`, `TABLE_REPLACED`,
 * `FORMAT_VERSION_UNSUPPORTED`, `TABLE_MOVED`, and what `prepare` and `validate` throw
 */
export async function commitWithRetry(
  table: Table,
  prepare: (base: Table) => Promise<PreparedCommit>,
  options: CommitOptions,
): Promise<CommitResult> {
  const { run } = options;
  const catalog = requireWritable(table);
  let base = await reload(table, catalog);
  const asked = commitRetry(base.metadata);
  const tries = new Attempts(options.isCostly === true ? persistently(asked, 25) : asked, clockOf(catalog));
  for (;;) {
    const attempts = tries.number;
    const known = run === undefined ? null : findRun(base.metadata, run);
    if (known !== null) {
      const { metadata, metadataLocation } = base;
      return {
        snapshotId: known,
        outcome: 'already-committed',
        attempts: attempts - 1,
        metadata,
        metadataLocation,
        manifestCount: null,
      };
    }
    requireWritable(base);
    requireUnmoved(base);
    await options.validate?.(base.metadata);
    const prepared = await prepare(base);
    const outcome = await attempt(base, catalog, prepared, run);
    const { snapshotId, manifestCount } = prepared;
    if (outcome.kind === 'committed') {
      const isOwn = outcome.snapshotId === snapshotId;
      return {
        snapshotId: outcome.snapshotId,
        outcome: isOwn ? 'committed' : 'already-committed',
        attempts,
        metadata: outcome.metadata,
        metadataLocation: outcome.metadataLocation,
        manifestCount: isOwn ? manifestCount : null,
      };
    }
    base = await reload(table, catalog);
    // A catalog client that resent the request may have met its own success.
    if (findSnapshot(base.metadata, snapshotId) !== undefined) {
      const { metadata, metadataLocation } = base;
      return { snapshotId, outcome: 'committed', attempts, metadata, metadataLocation, manifestCount };
    }
    await afterOutcome(...prepared.ownFiles.map((location) => () => table.io.delete(location)));
    await tries.next(outcome.error);
    base = await reload(table, catalog);
  }
}
