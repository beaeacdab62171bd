/** What the details, the query `progress` and the result of a training set say. */
import type {
  CommittedTrainingSet,
  PlannedTrainingSet,
  StagedTrainingShard,
  TrainingSetProgress,
  TrainingSetResult,
} from '../../activities/contract.js';
import { type Change, Report, sum } from '../report.js';
import { withoutTraffic } from '../storage-traffic.js';

interface TrainingSetState {
  readonly progress: TrainingSetProgress;
  readonly sources: readonly string[];
}

export type TrainingSetReport = Report<TrainingSetState>;

export function trainingSetReport(): TrainingSetReport {
  return new Report<TrainingSetState>({
    subject: 'training set',
    description: 'How far the training set is.',
    first: { progress: { step: 'planning', shardsTotal: 0, shardsDone: 0, rowsWritten: '0' }, sources: [] },
    lines,
  });
}

export const planMade =
  ({ shards, entityRows, sources }: PlannedTrainingSet): Change<TrainingSetState> =>
  ({ progress }) => ({ progress: { ...progress, step: 'retrieving', entityRows, shardsTotal: shards }, sources });

export const shardStaged =
  ({ rows }: StagedTrainingShard): Change<TrainingSetState> =>
  ({ progress, ...state }) => {
    const rowsWritten = sum(progress.rowsWritten, rows);
    return { ...state, progress: { ...progress, rowsWritten, shardsDone: progress.shardsDone + 1 } };
  };

export const setCommitted =
  ({ rows }: CommittedTrainingSet): Change<TrainingSetState> =>
  ({ progress, ...state }) => ({ ...state, progress: { ...progress, rowsWritten: rows } });

export const trainingSetResult =
  (committed: CommittedTrainingSet) =>
  ({ progress }: TrainingSetState, workflowId: string): TrainingSetResult => ({
    ...withoutTraffic(committed),
    workflowId,
    shards: progress.shardsTotal,
  });

function lines({ progress, sources }: TrainingSetState): readonly string[] {
  const { entityRows, shardsDone, shardsTotal, rowsWritten } = progress;
  return [
    ...(entityRows === undefined ? [] : [`- entity rows: ${entityRows}`]),
    ...sources.map((source) => `- source \`${source}\``),
    ...(shardsTotal === 0 ? [] : [`- shards: ${shardsDone} of ${shardsTotal}`]),
    `- rows written: ${rowsWritten}`,
  ];
}
