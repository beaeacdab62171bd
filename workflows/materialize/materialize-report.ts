/** What the details, the query `progress` and the result of a materialization say. */
import type {
  CommittedRun,
  ExtractedShard,
  MaterializeResult,
  PlannedRun,
  RunInput,
  RunProgress,
} from '../../activities/contract.js';
import { counted } from '../../errors/index.js';
import { type Change, Report, sum } from '../report.js';

interface MaterializeState {
  /** Of the pass in flight. */
  readonly progress: RunProgress;
  /** Of all passes: only what was committed counts, for a pass that ended in a conflict has written nothing. */
  readonly result: Omit<MaterializeResult, 'workflowId' | 'passes'>;
}

export type MaterializeReport = Report<MaterializeState>;

export function materializeReport(input: RunInput): MaterializeReport {
  const { view, searchAttributes } = input;
  return new Report({
    subject: view,
    description: 'How far the run is.',
    first: firstState(input),
    lines,
    attributes: { view },
    searchAttributes,
  });
}

function firstState({ view, goesOn }: RunInput): MaterializeState {
  if (goesOn !== undefined) {
    const { workflowId: _, passes, ...result } = goesOn.result;
    return { progress: notPlanned(result.rows, passes), result };
  }
  const none = { rows: '0', files: 0, bytes: '0', sourceSnapshotId: null, snapshotId: null };
  return { progress: notPlanned('0', 0), result: { view, kind: 'nothing', reason: 'not planned yet', ...none } };
}

function notPlanned(rowsWritten: string, passes: number): RunProgress {
  return { step: 'planning', shardsTotal: 0, shardsDone: 0, rowsWritten, passes };
}

export const passBegan: Change<MaterializeState> = ({ progress, result }) => ({
  progress: notPlanned(result.rows, progress.passes + 1),
  result,
});

export const planMade =
  ({ kind, reason, sourceTable, sourceFiles, sourceRows, sourceSnapshotId, shards, parts }: PlannedRun) =>
  ({ progress, result }: MaterializeState): MaterializeState => {
    const read = parts === undefined ? {} : { partsTotal: parts, partsDone: 0 };
    const planned = { kind, reason, sourceTable, sourceFiles, sourceRows, shardsTotal: shards, ...read };
    const why = result.kind === 'nothing' ? { kind, reason } : {};
    return {
      progress: { ...progress, step: 'extracting', ...planned },
      result: { ...result, ...why, sourceSnapshotId },
    };
  };

export const partReduced: Change<MaterializeState> = ({ progress, result }) => ({
  progress: { ...progress, partsDone: (progress.partsDone ?? 0) + 1 },
  result,
});

export const shardExtracted =
  ({ rows }: ExtractedShard): Change<MaterializeState> =>
  ({ progress, result }) => {
    const rowsWritten = sum(progress.rowsWritten, rows);
    return { progress: { ...progress, rowsWritten, shardsDone: progress.shardsDone + 1 }, result };
  };

export const shardsCommitted =
  (shards: readonly ExtractedShard[], { snapshotId }: CommittedRun): Change<MaterializeState> =>
  ({ progress, result }) => {
    const rows = shards.reduce((total, shard) => sum(total, shard.rows), result.rows);
    const files = shards.reduce((total, shard) => total + shard.files, result.files);
    const bytes = shards.reduce((total, shard) => sum(total, shard.bytes), result.bytes);
    return { progress: { ...progress, rowsWritten: rows }, result: { ...result, rows, files, bytes, snapshotId } };
  };

export function materializeResult(
  { progress: { passes }, result }: MaterializeState,
  workflowId: string,
): MaterializeResult {
  return { ...result, workflowId, passes };
}

function lines({ progress }: MaterializeState): readonly string[] {
  const { kind, reason, sourceTable, sourceFiles = 0, sourceRows, shardsDone, shardsTotal, rowsWritten } = progress;
  const { partsDone = 0, partsTotal = 0 } = progress;
  return [
    ...(kind === undefined
      ? []
      : [`- ${kind}: ${reason}`, `- source \`${sourceTable}\`: ${counted(sourceFiles, 'file')}`]),
    ...(sourceRows === undefined ? [] : [`- rows to read: ${sourceRows}`]),
    ...(partsTotal === 0 ? [] : [`- parts: ${partsDone} of ${partsTotal}`]),
    ...(shardsTotal === 0 ? [] : [`- shards: ${shardsDone} of ${shardsTotal}`]),
    `- rows written: ${rowsWritten}`,
    `- passes: ${progress.passes}`,
  ];
}
