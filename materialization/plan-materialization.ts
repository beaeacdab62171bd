/** Planning a run: pins the source, decides what to do, lists the files, and stores all of it as one immutable file. */
import { createHash } from 'node:crypto';
import { metadataFolder } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import { findFeatureView, type ResolvedView, resolveView } from '../features/index.js';
import { currentSchema, currentSnapshot, findSnapshot, type Schema, type Snapshot } from '../iceberg/index.js';
import {
  ensureOnlineTable,
  fingerprintDefinition,
  hasColumnsSince,
  ONLINE_COLUMNS,
  type OnlineTable,
  outlineOnlineTable,
  partitioningText,
  withSharedSpec,
} from '../online/index.js';
import { type PlannedFile, pinTable, planFiles, type Table } from '../tables/index.js';
import { coverageWithin, uncovered } from './coverage.js';
import {
  advancesProgress,
  assessBase,
  type BaseAssessment,
  type Decision,
  type DecisionInput,
  decide,
  type RunKind,
} from './decide.js';
import type { MaterializationDeps } from './deps.js';
import { eventTimeColumn } from './event-time-filter.js';
import type { BucketKey } from './extract-sql.js';
import { faultPoint } from './fault-point.js';
import { filesAt } from './files-at.js';
import { smallestEventTimeUs } from './held-back.js';
import type { Interval } from './interval.js';
import { plannedSourceFile } from './open-files.js';
import { appending, idle } from './outcome.js';
import { isForTrino, planPieces } from './pieces.js';
import {
  type BucketRebuild,
  type MaterializationPlan,
  type PlannedSourceFile,
  planSize,
  type SourceRead,
} from './plan.js';
import { planToText } from './plan-json.js';
import { readsOf } from './plan-reads.js';
import type { MaterializationRequest, PlanReference } from './plan-request.js';
import { type EffectiveProgress, effectiveProgress, type Progress } from './progress.js';
import { type AddedFiles, readSourceChanges, type SourceFileChanges } from './read-source-changes.js';
import { arePartsAlike } from './reduction-parts.js';
import { runKey } from './run-key.js';
import { existingSnapshot, NO_SNAPSHOT, sourceState } from './source-state.js';
import { touchedBuckets } from './touched-buckets.js';

/**
 * Plans one run.
 * @throws INVALID_ARGUMENT (start after end, view not online), FEATURE_VIEW_NOT_FOUND, DEFINITION_INVALID, TABLE_NOT_FOUND
 */
export async function planMaterialization(
  deps: MaterializationDeps,
  request: MaterializationRequest,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<PlanReference> {
  const interval = requestedInterval(request);
  const { view, source } = await resolveSource(deps, request.view);
  if (interval === null) return nothing(view, source, 'the window is empty');
  const online = await ensureOnlineTable(deps, view, source);
  return new Planner(deps, request, { view, source, online, interval }, options.signal).plan();
}

/** A run that is planned from metadata alone, and not stored. */
export interface MaterializationOutline {
  readonly kind: RunKind;
  readonly reason: string;
  readonly view: ResolvedView;
  readonly source: Table;
  readonly reads: readonly SourceRead[];
  /** Whether files of the online table are replaced. */
  readonly isRebuilt: boolean;
  /** The online table as the run would find or make it. */
  readonly online: OnlineTable;
  readonly shards: number;
  /** Parts that read the files once before the shards; 0: every shard reads all of them. */
  readonly parts: number;
}

/**
 * What a run would read, without making its online table, its plan, or reading rows.
 * @throws as {@link planMaterialization}
 */
export async function outlineMaterialization(
  deps: MaterializationDeps,
  request: Omit<MaterializationRequest, 'attemptId'>,
): Promise<MaterializationOutline> {
  const interval = requestedInterval(request);
  const { view, source } = await resolveSource(deps, request.view);
  const online = await outlineOnlineTable(deps.catalog, view, source, deps.settings);
  const context = { view, source, online };
  if (interval === null) {
    return {
      ...context,
      kind: 'nothing',
      reason: 'the window is empty',
      reads: [],
      isRebuilt: false,
      shards: 0,
      parts: 0,
    };
  }
  const planner = new Planner(deps, { ...request, attemptId: '' }, { ...context, interval }, undefined);
  const outline = await planner.outline();
  const { shards, spread } = request;
  const { buckets } = online.layout;
  const { memoryLimitBytes } = deps.engine;
  const kind = outline.reads.length === 0 ? 'nothing' : outline.kind;
  const sizing = { shards, spread, buckets, memoryLimitBytes, isForTrino: false };
  const pieces = planPieces(kind, { appendReads: outline.reads, rebuild: null }, sizing);
  return { ...context, ...outline, shards: pieces.shards.length, parts: pieces.reduction?.parts ?? 0 };
}

function requestedInterval({ startUs, endUs }: Pick<MaterializationRequest, 'startUs' | 'endUs'>): Interval | null {
  if (startUs !== undefined && endUs !== undefined && startUs > endUs) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `The window starts (${startUs} us) after it ends (${endUs} us). Exchange --start and --end.`,
    );
  }
  if (startUs !== undefined && startUs === endUs) return null;
  return { startUs: startUs ?? null, endUs: endUs ?? null };
}

/** A view and its source table as they are now. @throws FEATURE_VIEW_NOT_FOUND, INVALID_ARGUMENT (not online) */
export async function resolveSource(
  deps: MaterializationDeps,
  name: string,
): Promise<{ view: ResolvedView; source: Table }> {
  const definitions = await deps.definitions();
  const defined = findFeatureView(definitions, name);
  if (!defined.online) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `Feature view '${name}' is not online: set online: true and apply it to materialize it.`,
    );
  }
  const source = await deps.loadSource(defined.source.table);
  return { view: resolveView(definitions, name, currentSchema(source.metadata)), source };
}

/** The progress that a window continues from: other windows may be committed before it. */
function windowToken({ progress, token, isRolledBack }: EffectiveProgress, interval: Interval): string {
  if (isRolledBack) return token;
  const facts = [coverageWithin(progress?.coverage ?? [], interval), progress?.incremental ?? null];
  return JSON.stringify(facts, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

function nothing(view: ResolvedView, source: Table, reason: string): PlanReference {
  return {
    view: view.name,
    kind: 'nothing',
    reason,
    planLocation: null,
    runKey: null,
    sourceTable: view.sourceTable,
    sourceSnapshotId: source.metadata.currentSnapshotId,
    shards: 0,
    reduction: null,
    partsAlike: false,
    files: 0,
    rows: 0n,
    bytes: 0n,
  };
}

interface PlanContext {
  readonly view: ResolvedView;
  readonly source: Table;
  readonly online: OnlineTable;
  readonly interval: Interval;
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A run before it is stored; or why there is none. */
type Draft =
  | { readonly idleReason: string }
  | {
      readonly input: DecisionInput;
      readonly effective: EffectiveProgress;
      readonly decision: Decision;
      readonly outcome: Decision;
      readonly appendReads: readonly SourceRead[];
      readonly rebuild: BucketRebuild | null;
      readonly keptSinceSnapshotId: bigint | null;
    };

/** The first format version whose rows keep their sequence numbers when they are rewritten. */
const ROW_LINEAGE_VERSION = 3;

/** One planning; holds what every step needs. */
class Planner {
  readonly #deps: MaterializationDeps;
  readonly #request: MaterializationRequest;
  readonly #context: PlanContext;
  readonly #schema: Schema;
  readonly #bucketKey: BucketKey;
  readonly #signal: AbortSignal | undefined;
  readonly #futureFromUs: bigint;

  constructor(
    deps: MaterializationDeps,
    request: MaterializationRequest,
    context: PlanContext,
    signal: AbortSignal | undefined,
  ) {
    this.#deps = deps;
    this.#request = request;
    this.#context = context;
    this.#schema = currentSchema(context.source.metadata);
    const { keyStrategy, buckets } = context.online.layout;
    this.#bucketKey = { view: context.view, keyStrategy, buckets };
    this.#signal = signal;
    this.#futureFromUs = (request.nowUs ?? BigInt(Date.now()) * 1000n) + 1n;
  }

  async plan(): Promise<PlanReference> {
    const { view, source } = this.#context;
    const drafted = await this.#draft((changes) => this.#touched(changes));
    if ('idleReason' in drafted) return nothing(view, source, drafted.idleReason);
    const { input, effective, decision, outcome, appendReads, rebuild, keptSinceSnapshotId } = drafted;
    const progressAfter = await this.#progressAfter(input, decision);
    const basis = { progress: effective.progress, keptSinceSnapshotId };
    return this.#store(outcome, effective, { appendReads, rebuild, progressAfter, basis });
  }

  /** The run as far as metadata tells it: where rows say which buckets are rebuilt, all of them count. */
  async outline(): Promise<Pick<MaterializationOutline, 'kind' | 'reason' | 'reads' | 'isRebuilt'>> {
    const drafted = await this.#draft(() => Promise.resolve(null));
    if ('idleReason' in drafted) return { kind: 'nothing', reason: drafted.idleReason, reads: [], isRebuilt: false };
    const { outcome, appendReads, rebuild } = drafted;
    const reads = [...appendReads, ...(rebuild?.reads ?? [])];
    return { ...outcome, reads, isRebuilt: rebuild !== null };
  }

  /** @param touched the buckets that changes of the source touch; null: all */
  async #draft(touched: (changes: SourceFileChanges) => Promise<readonly number[] | null>): Promise<Draft> {
    const { view, source, online, interval } = this.#context;
    const effective = effectiveProgress(online.metadata);
    if (effective.progress === null && source.metadata.currentSnapshotId === null) {
      return { idleReason: 'the source table is empty' };
    }
    const input: DecisionInput = {
      progress: effective.progress,
      hasUnknownRows: effective.progress === null && online.metadata.currentSnapshotId !== null,
      hasUnwrittenColumns: effective.snapshotId !== null && hasColumnsSince(online.metadata, effective.snapshotId),
      definition: fingerprintDefinition(view, partitioningText(online.layout)),
      source: sourceState(view.sourceTable, source.metadata),
      request: { interval, kind: this.#request.startUs === undefined ? 'incremental' : 'window' },
    };
    const { decision, changes, keptSinceSnapshotId } = await this.#decide(input);
    const appendReads = await this.#appendReads(decision, changes);
    const rebuild = await this.#rebuild(decision, changes, touched);
    const isIdle = rebuild === null && appendReads.length === 0;
    const outcome = { ...decision, ...(isIdle ? idle(decision) : rebuild === null ? appending(decision, input) : {}) };
    if (isIdle && !advancesProgress(input) && !this.#recordsEmpty(effective.progress)) {
      return { idleReason: outcome.reason };
    }
    return { input, effective, decision, outcome, appendReads, rebuild, keptSinceSnapshotId };
  }

  /** Whether a run without rows is recorded: what is recorded of no run counts as never read. */
  #recordsEmpty(progress: Progress | null): boolean {
    return this.#request.isBackfill === true && uncovered(progress?.coverage ?? [], this.#context.interval).length > 0;
  }

  async #decide(input: DecisionInput): Promise<{
    readonly decision: Decision;
    readonly changes: SourceFileChanges | null;
    readonly keptSinceSnapshotId: bigint | null;
  }> {
    const base = assessBase(input);
    const unknown = { changes: null, keptSinceSnapshotId: null };
    if (base.kind !== 'changes-since') return { decision: decide(input, base, null), ...unknown };
    const { source, view, interval } = this.#context;
    const rows = { source, timestamp: view.timestamp, interval };
    const changes = await readSourceChanges(rows, base.sinceSnapshotId, input.source.snapshotId);
    if ('steps' in changes) {
      return { decision: decide(input, base, changes), changes, keptSinceSnapshotId: base.sinceSnapshotId };
    }
    const rebuildAll: BaseAssessment = { kind: 'rebuild-all', reason: changes.reason };
    return { decision: decide(input, rebuildAll, null), ...unknown };
  }

  /**
   * Reads to append from, without files that lie outside and reads without files. Rows that an overwrite has carried over were read
   * before: written again, they would pass later commits that they tie with.
   */
  async #appendReads(decision: Decision, changes: SourceFileChanges | null): Promise<readonly SourceRead[]> {
    const { delta, whole } = decision;
    const added = delta === null ? [] : (changes?.added ?? []);
    const deltaReads = added.flatMap((files) => {
      if (delta === null) return [];
      const snapshotId = existingSnapshot(files.snapshotId);
      const afterSequenceNumber = this.#sequenceNumberOf(delta.sinceSnapshotId);
      return [
        ...this.#reads(this.#newFiles(files), delta.interval, { snapshotId }),
        ...this.#reads(this.#carriedFiles(files), delta.interval, { snapshotId, afterSequenceNumber }),
      ];
    });
    if (whole === null) return deltaReads;
    const isNew = new Set(added.flatMap((files) => this.#newFiles(files).map(({ file }) => file.filePath)));
    const current = this.#context.source.metadata.currentSnapshotId;
    const files = await this.#filesAt(current ?? NO_SNAPSHOT, whole);
    const others = files.filter(({ file }) => !isNew.has(file.filePath));
    return [...deltaReads, ...this.#reads(others, whole, { snapshotId: current })];
  }

  async #rebuild(
    decision: Decision,
    changes: SourceFileChanges | null,
    touched: (changes: SourceFileChanges) => Promise<readonly number[] | null>,
  ): Promise<BucketRebuild | null> {
    if (decision.kind !== 'full' && decision.kind !== 'rebuild-buckets') return null;
    const buckets = decision.kind === 'full' || changes === null ? null : await touched(changes);
    if (buckets !== null && buckets.length === 0) return null;
    const reads = await Promise.all(
      decision.rebuildFrom.map(async (piece) => {
        const files = await this.#filesAt(piece.sourceSnapshotId, piece);
        const { startUs, endUs, sourceSnapshotId } = piece;
        return this.#reads(files, { startUs, endUs }, { snapshotId: existingSnapshot(sourceSnapshotId) });
      }),
    );
    return { buckets, reads: reads.flat(), pushedFiles: await this.#pushedFiles() };
  }

  #reads(
    files: readonly PlannedFile[],
    interval: Interval,
    source: Pick<SourceRead, 'snapshotId' | 'afterSequenceNumber'>,
  ): readonly SourceRead[] {
    const column = eventTimeColumn(this.#schema, this.#context.view.timestamp.sourceFieldId);
    return readsOf(files, interval, column, this.#futureFromUs, source);
  }

  /** Files with rows that say when they were updated last, which may be before the file was written. */
  #carriedFiles({ rewritten }: AddedFiles): readonly PlannedFile[] {
    return this.#context.source.metadata.formatVersion < ROW_LINEAGE_VERSION ? [] : rewritten;
  }

  #newFiles(added: AddedFiles): readonly PlannedFile[] {
    const carried = new Set(this.#carriedFiles(added));
    return added.files.filter((planned) => !carried.has(planned));
  }

  #sequenceNumberOf(snapshotId: bigint): bigint | undefined {
    return findSnapshot(this.#context.source.metadata, snapshotId)?.sequenceNumber;
  }

  async #touched({ steps }: SourceFileChanges): Promise<readonly number[]> {
    const { source: table, interval } = this.#context;
    return touchedBuckets(this.#deps, { table, key: this.#bucketKey, interval }, steps, this.#signal);
  }

  #filesAt(snapshotId: bigint, interval: Interval): Promise<readonly PlannedFile[]> {
    const { source, view } = this.#context;
    return filesAt(source, snapshotId, view.timestamp, interval);
  }

  get #onlineTable(): Table {
    const { metadata, metadataLocation, layout } = this.#context.online;
    const { catalog, io } = this.#deps;
    return { identifier: layout.identifier, metadata, metadataLocation, catalog, io };
  }

  /** The online table as extraction finds it: what is only added to other rows may be few rows, which become one file. */
  async #preparedTable({ rebuild, appendReads }: Pick<MaterializationPlan, 'rebuild' | 'appendReads'>): Promise<Table> {
    const { metadata, layout } = this.#context.online;
    const mayBeOneFile =
      rebuild === null && appendReads.length > 0 && (layout.strategy !== 'entity_hash' || layout.buckets > 1);
    return mayBeOneFile && metadata.currentSnapshotId !== null
      ? await withSharedSpec(this.#onlineTable)
      : this.#onlineTable;
  }

  async #pushedFiles(): Promise<readonly PlannedSourceFile[]> {
    const table = this.#onlineTable;
    const { metadata } = table;
    const snapshot: Snapshot | null = currentSnapshot(metadata);
    const { files } = await planFiles(table, { snapshot, schema: currentSchema(metadata), appliesDeletes: true });
    const pushedId = currentSchema(metadata).fields.find((field) => field.name === ONLINE_COLUMNS.pushed)?.id ?? 0;
    const mayHavePushed = ({ file }: PlannedFile): boolean => file.upperBounds?.get(pushedId)?.[0] !== 0;
    return files.filter(mayHavePushed).map(plannedSourceFile);
  }

  async #progressAfter(input: DecisionInput, decision: Decision): Promise<Progress> {
    const { source, incrementalAfter } = { source: input.source, ...decision };
    const incremental =
      incrementalAfter.kind === 'unchanged'
        ? incrementalAfter.progress
        : {
            sourceSnapshotId: source.snapshotId,
            heldBackFromUs: await this.#heldBackFrom(incrementalAfter.heldBackAfterUs),
          };
    return {
      sourceTable: source.table,
      sourceTableUuid: source.tableUuid,
      definition: input.definition,
      incremental,
      coverage: decision.coverageAfter,
    };
  }

  async #heldBackFrom(fromUs: bigint | null): Promise<bigint | null> {
    if (fromUs === null) return null;
    const { source, view } = this.#context;
    const files = await this.#filesAt(source.metadata.currentSnapshotId ?? NO_SNAPSHOT, {
      startUs: fromUs,
      endUs: null,
    });
    return smallestEventTimeUs(
      this.#deps,
      source,
      view.timestamp.sourceFieldId,
      files.map(plannedSourceFile),
      fromUs,
      source.metadata.currentSnapshotId,
      this.#signal,
    );
  }

  async #store(
    decision: Decision,
    effective: EffectiveProgress,
    parts: Pick<MaterializationPlan, 'appendReads' | 'rebuild' | 'progressAfter' | 'basis'>,
  ): Promise<PlanReference> {
    const { view, source, online, interval } = this.#context;
    const prepared = await this.#preparedTable(parts);
    const snapshotId = source.metadata.currentSnapshotId ?? NO_SNAPSHOT;
    const size = planSize(parts);
    const progressToken = digestOf(effective.token);
    const key = runKey({
      view: view.name,
      definitionHash: JSON.stringify(parts.progressAfter.definition),
      interval,
      sourceTableUuid: source.metadata.tableUuid,
      sourceSnapshotId: snapshotId,
      progressToken: this.#request.isBackfill === true ? digestOf(windowToken(effective, interval)) : progressToken,
    });
    const plan: MaterializationPlan = {
      view,
      kind: decision.kind,
      reason: decision.reason,
      interval,
      runKey: key,
      attemptId: this.#request.attemptId,
      source: {
        table: view.sourceTable,
        tableUuid: source.metadata.tableUuid,
        ...pinTable(
          source,
          [...parts.appendReads, ...(parts.rebuild?.reads ?? [])].map((read) => read.snapshotId),
        ),
        snapshotId,
      },
      online: {
        identifier: online.layout.identifier,
        tableUuid: online.metadata.tableUuid,
        ...pinTable(prepared),
        snapshotId: online.metadata.currentSnapshotId,
        progressToken,
        keyStrategy: online.layout.keyStrategy,
        keyColumn: online.layout.keyColumn,
        buckets: online.layout.buckets,
      },
      ...parts,
      ...planPieces(decision.kind, parts, {
        shards: this.#request.shards,
        spread: this.#request.spread,
        buckets: online.layout.buckets,
        memoryLimitBytes: this.#deps.engine.memoryLimitBytes,
        isForTrino: isForTrino(this.#deps.engines, this.#request.engine, { view, source }, parts),
      }),
    };
    const planLocation = `${metadataFolder(online.metadata)}/moraine-plan-${key.slice(0, 12)}-${this.#request.attemptId}.json`;
    await this.#deps.io.create(planLocation, Buffer.from(planToText(plan)));
    faultPoint('plan-written');
    return {
      view: view.name,
      kind: plan.kind,
      reason: plan.reason,
      planLocation,
      runKey: key,
      sourceTable: view.sourceTable,
      sourceSnapshotId: source.metadata.currentSnapshotId,
      shards: plan.shards.length,
      reduction: plan.reduction,
      partsAlike: arePartsAlike(plan),
      files: size.files,
      rows: size.rows,
      bytes: size.bytes,
    };
  }
}
