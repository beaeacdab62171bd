import { setHandler, upsertMemo, workflowInfo } from '@temporalio/workflow';
import type {
  CommittedTrainingSet,
  ParkedCommit,
  PlannedTrainingSet,
  StagedTrainingShard,
  TrainingSetProgress,
  TrainingSetResult,
} from '../../activities/contract.js';
import { parkedLines } from '../parked-commit.js';
import { showDetails } from '../run-details.js';
import { trainingProgress } from '../signals.js';

/** Keeps how far a training set is, and shows it: in the `progress` query, the memo and the details. */
export class TrainingSetReport {
  #progress: TrainingSetProgress = { step: 'planning', shardsTotal: 0, shardsDone: 0, rowsWritten: '0' };
  #sources: readonly string[] = [];

  constructor() {
    setHandler(trainingProgress, () => this.#progress, { description: 'How far the training set is.' });
    this.#show();
  }

  planned({ shards, entityRows, sources }: PlannedTrainingSet): void {
    this.#sources = sources;
    this.#progress = { ...this.#progress, step: 'retrieving', entityRows, shardsTotal: shards };
    upsertMemo({ progress: this.#progress });
    this.#show();
  }

  staged(shard: StagedTrainingShard): void {
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

  done(committed: CommittedTrainingSet): TrainingSetResult {
    const { rows } = committed;
    this.#progress = { ...this.#progress, step: 'done', rowsWritten: rows };
    upsertMemo({ progress: this.#progress });
    this.#show();
    return { ...committed, workflowId: workflowInfo().workflowId, shards: this.#progress.shardsTotal };
  }

  #show(): void {
    const { step, entityRows, shardsDone, shardsTotal, rowsWritten } = this.#progress;
    const lines: string[] = [];
    if (entityRows !== undefined) lines.push(`- entity rows: ${entityRows}`);
    for (const source of this.#sources) lines.push(`- source \`${source}\``);
    if (shardsTotal > 0) lines.push(`- shards: ${shardsDone} of ${shardsTotal}`);
    lines.push(`- rows written: ${rowsWritten}`);
    if (this.#progress.parked !== undefined) lines.push(...parkedLines(this.#progress.parked));
    showDetails(`**training set**: ${step}`, lines);
  }
}
