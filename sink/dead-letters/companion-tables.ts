/**
 * Tables beside that of a sink: what its batches leave to do there, each piece once. The sink's own table is the authority: a piece is done only if the table's
 * history names it, by whoever has the sink, and before the next batch. ADR 0048.
 */
import { randomUUID } from 'node:crypto';
import { formatTableName } from '../../catalogs/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { Location } from '../../locations/index.js';
import {
  clockOf,
  findTable,
  readStagedManifest,
  releaseLease,
  requireWritable,
  type Table,
  takeLease,
} from '../../tables/index.js';
import { joinManifests } from '../batches/batch-parts.js';
import { copyFiles } from '../batches/copy-files.js';
import { Coordinator } from '../protocol/coordinator.js';
import { companionStateOf, hasBatch } from '../protocol/find-state.js';
import type { PendingWork, TableWork } from '../protocol/pending-work.js';
import type { SinkDeps } from '../sink-options.js';
import type { RejectedRecord } from '../sink-records.js';
import { ensureDeadLetterTable } from './dead-letter-table.js';
import { markReplayed } from './mark-replayed.js';
import { stageDeadLetters } from './stage-dead-letters.js';

/** Sweeps leave staged files alone for so long after the last of them was staged; it is the longest that there is. */
const LEASE_MS = 7n * 86_400_000n;

const nowMsOf = (table: Table): number => clockOf(requireWritable(table)).nowMs();

export class CompanionTables {
  readonly #deps: SinkDeps;
  /** Of the sink's own table. */
  readonly #authority: Coordinator;
  readonly #coordinators = new Map<string, Coordinator>();
  readonly #leases = new Map<string, { readonly table: Table; readonly endsMs: bigint }>();
  readonly #leaseId: string;
  readonly #abandonsLost: boolean;
  /** The batch of which nothing is left to do, and its snapshot: after a rollback it is committed again, in another one. */
  #finished: { readonly batchId: string; readonly snapshotId: bigint | undefined } | undefined;

  /**
   * @param authority its claim's owner is what the names of staged files begin with
   * @param abandonsLost whether work is left undone whose table or files are gone
   */
  constructor(deps: SinkDeps, authority: Coordinator, abandonsLost: boolean) {
    this.#deps = deps;
    this.#authority = authority;
    this.#abandonsLost = abandonsLost;
    this.#leaseId = `sink-${authority.owner}`;
  }

  get #sink(): string {
    return this.#authority.sink;
  }

  /**
   * Does what is not done yet. May be called again after an error.
   * @throws MoraineError `SINK_TABLE_LOST` if another table, or none, has the name of one that something is left to do in; `SINK_FENCED`, `FILE_NOT_FOUND`, and
   *   what committing and materializing throw
   */
  async finish(pending: readonly PendingWork[]): Promise<void> {
    const batchId = pending[0]?.batchId;
    const snapshotId = this.#authority.lastSnapshotId;
    const finished = this.#finished;
    if (batchId === undefined || (batchId === finished?.batchId && snapshotId === finished.snapshotId)) return;
    for (const work of pending) {
      try {
        await this.#do(work);
      } catch (error) {
        if (!this.#abandonsLost || !isMoraineError(error, 'SINK_TABLE_LOST', 'FILE_NOT_FOUND')) throw error;
      }
    }
    this.#finished = { batchId, snapshotId };
  }

  /** Stages dead letters of a batch of the sink's table. */
  async stageDeadLetters(
    deadLetters: Table['identifier'],
    table: Table,
    batchId: string,
    rejected: readonly RejectedRecord[],
  ): Promise<{ readonly work: TableWork; readonly files: readonly Location[] }> {
    const target = await this.lease(await ensureDeadLetterTable(this.#deps, deadLetters));
    const letters = { sink: this.#sink, table, batchId, rejected, rejectedAtMs: nowMsOf(target) };
    const { manifest, files } = await stageDeadLetters(this.#deps.engine, target, letters, this.prefixOf(batchId));
    const { tableUuid } = target.metadata;
    const work = { kind: 'append', batchId, table: deadLetters, tableUuid, file: manifest.manifestPath } as const;
    return { work, files };
  }

  /**
   * What the parts of a batch leave to do, as work of the batch: each table gets their files in one commit, or in one for each partition spec that they have.
   * @returns the work, and the manifests that were made for it
   * @throws MoraineError as {@link finish}
   */
  async joinWork(
    batchId: string,
    pending: readonly PendingWork[],
  ): Promise<{ readonly pending: readonly PendingWork[]; readonly files: readonly Location[] }> {
    const views = new Set(pending.flatMap((work) => (work.kind === 'materialize' ? [work.view] : [])));
    const ofTables = pending.filter((work) => work.kind !== 'materialize');
    const joined: TableWork[] = [];
    for (const uuid of new Set(ofTables.map(({ tableUuid }) => tableUuid))) {
      const works = ofTables.filter(({ tableUuid }) => tableUuid === uuid);
      joined.push(...(await this.#joinTableWork(batchId, works)));
    }
    return {
      pending: [...joined, ...[...views].map((view) => ({ kind: 'materialize', batchId, view }) as const)],
      files: joined.map(({ file }) => file),
    };
  }

  async #joinTableWork(batchId: string, works: readonly TableWork[]): Promise<readonly TableWork[]> {
    const [first, ...others] = works;
    if (first === undefined || others.length === 0) return works.map((work) => ({ ...work, batchId }));
    try {
      const table = await this.lease(await this.#load(first));
      const manifests = [];
      for (const { file } of works) manifests.push(await readStagedManifest(table, file));
      const joined = await joinManifests(table, manifests, `${this.prefixOf(batchId)}-${randomUUID()}`);
      // Of several commits for one batch each is looked for by an id of its own.
      const idOf = (index: number): string => (index === 0 ? batchId : `${batchId}-${index}`);
      return joined.map(({ manifestPath }, index) => ({ ...first, batchId: idOf(index), file: manifestPath }));
    } catch (error) {
      if (this.#abandonsLost && isMoraineError(error, 'SINK_TABLE_LOST', 'FILE_NOT_FOUND')) return [];
      throw error;
    }
  }

  /** What the names of files begin with that are staged for a batch in a table with a lease. */
  prefixOf(batchId: string): string {
    return `${this.#leaseId}-${batchId}`;
  }

  /** Takes a lease for staged files of a table, or renews it half-way through its time. */
  async lease(table: Table): Promise<Table> {
    const { tableUuid } = table.metadata;
    const nowMs = BigInt(nowMsOf(table));
    if ((this.#leases.get(tableUuid)?.endsMs ?? 0n) > nowMs + LEASE_MS / 2n) return table;
    const endsMs = nowMs + LEASE_MS;
    const lease = { id: this.#leaseId, kind: 'sink', snapshotIds: [], filePrefixes: [`${this.#leaseId}-`] };
    const leased = await takeLease(table, { ...lease, expiresAtMs: endsMs }, nowMs);
    this.#leases.set(tableUuid, { table: leased, endsMs });
    return leased;
  }

  /** Gives the leases back once nothing is left to do; those that cannot be given back end by themselves. */
  async close(): Promise<void> {
    for (const { table } of this.#leases.values()) await releaseLease(table, this.#leaseId).catch(() => undefined);
    this.#leases.clear();
  }

  async #do(work: PendingWork): Promise<void> {
    if (work.kind === 'materialize') return await this.#materialize(work.view);
    try {
      await (work.kind === 'append' ? this.#append(work) : this.#mark(work));
    } catch (error) {
      // Loaded anew, since it may have been dropped after it was loaded.
      if (isMoraineError(error, 'TABLE_NOT_FOUND', 'TABLE_REPLACED')) await this.#load(work);
      throw error;
    }
  }

  async #mark(work: TableWork): Promise<void> {
    const { lastSequenceNumber: sequenceNumber, table } = this.#authority;
    const commit = { tableUuid: table.metadata.tableUuid, sequenceNumber };
    await markReplayed(this.#deps, await this.#load(work), work, commit);
  }

  async #materialize(view: string): Promise<void> {
    const { materialize } = this.#deps;
    if (materialize !== undefined) await materialize(view);
    else if (!this.#abandonsLost) {
      const message = `The last batch of sink ${JSON.stringify(this.#sink)} is not in feature view ${JSON.stringify(view)} yet. Open the sink with the project that defines the view, or with abandonLost.`;
      throw new MoraineError('INVALID_ARGUMENT', message, { details: { sink: this.#sink, view } });
    }
  }

  async #append(work: TableWork): Promise<void> {
    for (;;) {
      const known = this.#coordinators.get(work.tableUuid);
      // What this process has done there may have been rolled back since, and the table is not loaded anew for its own work.
      if (known !== undefined && this.#isOwn(work) && (await this.#isDone(known.table, work)))
        this.#coordinators.delete(work.tableUuid);
      // A claim would be one more snapshot; without one nobody may conclude that it is missing.
      if (!this.#coordinators.has(work.tableUuid) && (await this.#isDone(await this.#load(work), work))) return;
      try {
        await this.#appendOnce(await this.#claimed(work), work);
        return;
      } catch (error) {
        if (!isMoraineError(error, 'SINK_FENCED')) throw error;
        this.#coordinators.delete(work.tableUuid);
        // Somebody who has lost the sink may have claimed the table late.
        await this.#authority.requireClaim();
      }
    }
  }

  /** Claims a table, if that is not done. Whoever claims the sink after this claim finds in the table what it commits. */
  async #claimed(work: TableWork): Promise<Coordinator> {
    const known = this.#coordinators.get(work.tableUuid);
    if (known !== undefined) return known;
    // Of work that was done long ago the table need not tell any more: nobody does it but the owner, and it is left by its last batch.
    await this.#authority.requireClaim();
    const coordinator = await Coordinator.open(await this.#load(work), this.#sinkThere, {
      find: companionStateOf,
    });
    await this.#authority.requireClaim();
    this.#coordinators.set(work.tableUuid, coordinator);
    return coordinator;
  }

  async #appendOnce(coordinator: Coordinator, work: TableWork): Promise<void> {
    const { batchId: id, file } = work;
    const table = this.#isOwn(work) ? coordinator.table : await coordinator.current(0);
    if (await this.#isDone(table, work)) return;
    const staged = [await readStagedManifest(table, file)];
    const isRolledBack = coordinator.wasRolledBack({ id }, []);
    const manifests = isRolledBack ? (await copyFiles(table, staged)).manifests : staged;
    await coordinator.commit({ id, ranges: [], manifests });
  }

  /** Whether the history of a table has a piece of work: what people roll back there is not done. */
  #isDone(table: Table, work: TableWork): Promise<boolean> {
    return hasBatch(table, this.#sinkThere, work.batchId, { readsOlder: !this.#isOwn(work) });
  }

  /** Whether its files were staged by this process, which has done nothing else since. */
  #isOwn({ file }: TableWork): boolean {
    return file.includes(this.#leaseId);
  }

  /** The name under which other tables have the sink. */
  get #sinkThere(): string {
    return `${this.#authority.table.metadata.tableUuid}/${this.#sink}`;
  }

  async #load({ table: identifier, tableUuid }: TableWork): Promise<Table> {
    const { catalog, io } = this.#deps;
    const table = await findTable(catalog, io, identifier);
    if (table?.metadata.tableUuid === tableUuid) return table;
    const found = table === null ? 'does not exist' : `is another table (uuid ${table.metadata.tableUuid})`;
    const message = `The last batch of sink ${JSON.stringify(this.#sink)} has files for table ${formatTableName(identifier)} (uuid ${tableUuid}), which ${found}.`;
    throw new MoraineError('SINK_TABLE_LOST', message, { details: { sink: this.#sink, tableUuid } });
  }
}
