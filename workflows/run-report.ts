import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { setHandler, upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import type {
  CommittedRun,
  ExtractedShard,
  MaterializeResult,
  ParkedCommit,
  PlannedRun,
  RunInput,
  RunKind,
  RunProgress,
} from '../activities/contract.js';
import { counted } from '../errors/index.js';
import { parkedLines } from './parked-commit.js';
import { showDetails } from './run-details.js';
import { progress } from './signals.js';

const VIEW = defineSearchAttributeKey('MoraineView', SearchAttributeType.KEYWORD);
const TABLE = defineSearchAttributeKey('MoraineTable', SearchAttributeType.KEYWORD);

/** Keeps what a run has done, and shows it: in the `progress` query, the memo, the details and the search attributes. */
export class RunReport {
  readonly #input: RunInput;
  #progress: RunProgress = { step: 'planning', shardsTotal: 0, shardsDone: 0, rowsWritten: '0', passes: 0 };
  #kind: RunKind = 'nothing';
  #reason = 'not planned yet';
  #sourceSnapshotId: string | null = null;
  #snapshotId: string | null = null;
  #rows = 0n;
  #files = 0;
  #bytes = 0n;

  constructor(input: RunInput) {
    this.#input = input;
    if (input.goesOn !== undefined) this.#carry(input.goesOn.result);
    setHandler(progress, () => this.#progress, { description: 'How far the run is.' });
    if (input.searchAttributes) upsertSearchAttributes([{ key: VIEW, value: input.view }]);
  }

  /** Adds the result of the earlier histories. */
  #carry({ kind, reason, rows, files, bytes, sourceSnapshotId, snapshotId, passes }: MaterializeResult): void {
    this.#kind = kind;
    this.#reason = reason;
    this.#rows = BigInt(rows);
    this.#files = files;
    this.#bytes = BigInt(bytes);
    this.#sourceSnapshotId = sourceSnapshotId;
    this.#snapshotId = snapshotId;
    this.#progress = { ...this.#progress, rowsWritten: rows, passes };
  }

  planning(): void {
    this.#progress = {
      step: 'planning',
      shardsTotal: 0,
      shardsDone: 0,
      rowsWritten: String(this.#rows),
      passes: this.#progress.passes + 1,
    };
    this.#show();
  }

  planned(plan: PlannedRun): void {
    const { kind, reason, sourceTable, sourceFiles, sourceRows, shards } = plan;
    this.#progress = { ...this.#progress, step: 'extracting', kind, reason, sourceTable, sourceFiles, sourceRows };
    this.#progress = { ...this.#progress, shardsTotal: shards };
    this.#sourceSnapshotId = plan.sourceSnapshotId;
    if (this.#kind === 'nothing') {
      this.#kind = kind;
      this.#reason = reason;
    }
    if (this.#input.searchAttributes) upsertSearchAttributes([{ key: TABLE, value: plan.onlineTable }]);
    upsertMemo({ progress: this.#progress });
    this.#show();
  }

  extracted(shard: ExtractedShard): void {
    const rowsWritten = String(BigInt(this.#progress.rowsWritten) + BigInt(shard.rows));
    this.#progress = { ...this.#progress, rowsWritten, shardsDone: this.#progress.shardsDone + 1 };
    this.#show();
  }

  committing(): void {
    this.#progress = { ...this.#progress, step: 'committing' };
    this.#show();
  }

  /** Or no longer. */
  parked(parked: ParkedCommit | undefined): void {
    this.#progress = { ...this.#progress, step: parked === undefined ? 'committing' : 'parked', parked };
    this.#show();
  }

  /** Only what was committed counts: a pass that ended in a conflict has written nothing. */
  committed(plan: PlannedRun, shards: readonly ExtractedShard[], commit: CommittedRun): void {
    for (const shard of shards) {
      this.#rows += BigInt(shard.rows);
      this.#files += shard.files;
      this.#bytes += BigInt(shard.bytes);
    }
    this.#sourceSnapshotId = plan.sourceSnapshotId;
    this.#snapshotId = commit.snapshotId;
  }

  done(): void {
    this.#progress = { ...this.#progress, step: 'done', rowsWritten: String(this.#rows) };
    this.#show();
    upsertMemo({ progress: this.#progress });
  }

  /** The memo keeps the result, for those who wait for the end of this history. */
  goesOn(result: MaterializeResult): void {
    upsertMemo({ result });
  }

  result(workflowId: string): MaterializeResult {
    return {
      view: this.#input.view,
      workflowId,
      kind: this.#kind,
      reason: this.#reason,
      rows: String(this.#rows),
      files: this.#files,
      bytes: String(this.#bytes),
      sourceSnapshotId: this.#sourceSnapshotId,
      snapshotId: this.#snapshotId,
      passes: this.#progress.passes,
    };
  }

  #show(): void {
    const { step, kind, reason, sourceTable, sourceFiles, sourceRows, shardsDone, shardsTotal } = this.#progress;
    const lines: string[] = [];
    if (kind !== undefined)
      lines.push(`- ${kind}: ${reason}`, `- source \`${sourceTable}\`: ${counted(sourceFiles ?? 0, 'file')}`);
    if (sourceRows !== undefined) lines.push(`- rows to read: ${sourceRows}`);
    if (shardsTotal > 0) lines.push(`- shards: ${shardsDone} of ${shardsTotal}`);
    lines.push(`- rows written: ${this.#progress.rowsWritten}`, `- passes: ${this.#progress.passes}`);
    if (this.#progress.parked !== undefined) lines.push(...parkedLines(this.#progress.parked));
    showDetails(`**${this.#input.view}**: ${step}`, lines);
  }
}
