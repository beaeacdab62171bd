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
  ({ shards, parts, entityRows, sources }: PlannedTrainingSet): Change<TrainingSetState> =>
  ({ progress }) => {
    const read = parts === undefined ? {} : { partsTotal: parts, partsDone: 0 };
    return { progress: { ...progress, step: 'retrieving', entityRows, ...read, shardsTotal: shards }, sources };
  };

export const partReduced: Change<TrainingSetState> = ({ progress, ...state }) => ({
  ...state,
  progress: { ...progress, partsDone: (progress.partsDone ?? 0) + 1 },
});

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
  const { entityRows, partsDone = 0, partsTotal = 0, shardsDone, shardsTotal, rowsWritten } = progress;
  return [
    ...(entityRows === undefined ? [] : [`- entity rows: ${entityRows}`]),
    ...sources.map((source) => `- source \`${source}\``),
    ...(partsTotal === 0 ? [] : [`- parts: ${partsDone} of ${partsTotal}`]),
    ...(shardsTotal === 0 ? [] : [`- shards: ${shardsDone} of ${shardsTotal}`]),
    `- rows written: ${rowsWritten}`,
  ];
}
