/** What the details, the query `progress` and the result of a compaction say. */
import type {
  CommittedCompaction,
  CompactCounts,
  CompactProgress,
  CompactResult,
  CompactRunInput,
  CompactState,
  PlannedCompaction,
  RewrittenFiles,
} from '../../activities/compact-contract.js';
import { counted } from '../../errors/index.js';
import { type Change, nothingToDo, Report, sum } from '../report.js';

const NOTHING: CompactCounts = {
  groups: 0,
  filesRemoved: 0,
  filesAdded: 0,
  rows: '0',
  bytesRemoved: '0',
  bytesAdded: '0',
  skipped: [],
  snapshotId: null,
};
/** Reasons that a result carries at most. */
const MAX_REASONS = 20;

interface CompactReported {
  readonly progress: CompactProgress;
  /** Of the request in work, over its passes. */
  readonly counts: CompactCounts;
  readonly plan: PlannedCompaction | undefined;
}

export type CompactReport = Report<CompactReported>;

export function compactReport({ table, searchAttributes, goesOn }: CompactRunInput): CompactReport {
  return new Report<CompactReported>({
    subject: table,
    description: 'How far the compaction is.',
    first: goesOn === undefined ? notPlanned() : carried(goesOn),
    lines,
    attributes: { table },
    searchAttributes,
  });
}

function notPlanned(): CompactReported {
  const files = { filesRemoved: 0, filesAdded: 0 };
  return {
    progress: { step: 'planning', groupsTotal: 0, groupsDone: 0, ...files, passes: 0 },
    counts: NOTHING,
    plan: undefined,
  };
}

function carried({ asked, counts, plan, passes, nextGroup }: CompactState): CompactReported {
  const before = asked[0] === undefined ? notPlanned() : requestBegan(asked[0].request.strategy)();
  const groups = { groupsTotal: plan.groups, groupsDone: nextGroup };
  return withCounts({ ...before, progress: { ...before.progress, ...groups, passes }, plan }, counts);
}

export const requestBegan = (strategy: string) => (): CompactReported => {
  const { progress, ...nothing } = notPlanned();
  return { ...nothing, progress: { ...progress, strategy } };
};

export const passBegan: Change<CompactReported> = ({ progress, ...state }) => ({
  ...state,
  progress: { ...progress, step: 'planning', passes: progress.passes + 1 },
});

export const planMade =
  (plan: PlannedCompaction): Change<CompactReported> =>
  ({ progress, counts }) => ({
    progress: { ...progress, step: 'rewriting', groupsTotal: plan.groups, groupsDone: 0 },
    counts: plan.skipped.reduce((sofar, { reason, files }) => withSkipped(sofar, reason, files), counts),
    plan,
  });

/** Of a plan, for the memo. */
export const planNumbers = ({ groups, files, rows, bytes }: PlannedCompaction) => ({ groups, files, rows, bytes });

export const groupRewritten =
  ({ skipped, filesRemoved }: RewrittenFiles): Change<CompactReported> =>
  ({ progress, counts, plan }) => ({
    progress: { ...progress, step: 'rewriting', groupsDone: progress.groupsDone + 1 },
    counts: skipped === null ? counts : withSkipped(counts, skipped, filesRemoved),
    plan,
  });

export const groupsCommitted =
  (groups: readonly RewrittenFiles[], { committed, snapshotId }: CommittedCompaction): Change<CompactReported> =>
  (state) => {
    const landed = groups.filter(({ group }) => committed.includes(group));
    const counts = landed.reduce(withGroup, state.counts);
    const progress = { ...state.progress, step: 'rewriting' as const };
    return withCounts({ ...state, progress }, { ...counts, snapshotId: snapshotId ?? counts.snapshotId });
  };

function withGroup(counts: CompactCounts, group: RewrittenFiles): CompactCounts {
  return {
    ...counts,
    groups: counts.groups + 1,
    filesRemoved: counts.filesRemoved + group.filesRemoved,
    filesAdded: counts.filesAdded + group.files,
    rows: sum(counts.rows, group.rows),
    bytesRemoved: sum(counts.bytesRemoved, group.bytesRemoved),
    bytesAdded: sum(counts.bytesAdded, group.bytes),
  };
}

function withSkipped(counts: CompactCounts, reason: string, files: number): CompactCounts {
  const known = counts.skipped.find((one) => one.reason === reason);
  const others = counts.skipped.filter((one) => one !== known);
  if (known === undefined && others.length >= MAX_REASONS) return counts;
  return { ...counts, skipped: [...others, { reason, files: files + (known?.files ?? 0) }] };
}

/** The progress shows some of the counts. */
function withCounts({ progress, plan }: CompactReported, counts: CompactCounts): CompactReported {
  const { filesRemoved, filesAdded } = counts;
  return { progress: { ...progress, filesRemoved, filesAdded }, counts, plan };
}

export const compactResult =
  (table: string) =>
  (state: CompactReported, workflowId: string): CompactResult => {
    const { progress, counts } = state;
    return { table, workflowId, passes: progress.passes, ...counts, reason: whyNothing(state) };
  };

/** Why nothing was replaced; null if something was. */
function whyNothing({ counts, plan }: CompactReported): string | null {
  return counts.groups === 0 ? (plan?.reason ?? null) : null;
}

function lines(state: CompactReported): readonly string[] {
  const { progress, counts, plan } = state;
  const { strategy, groupsDone, groupsTotal, passes } = progress;
  const { filesRemoved, filesAdded, bytesRemoved, bytesAdded, skipped } = counts;
  return [
    ...(strategy === undefined ? [] : [`- strategy: ${strategy}`]),
    ...(plan === undefined
      ? []
      : [`- plan: ${counted(plan.files, 'file')}, ${counted(plan.rows, 'row')}, ${counted(plan.bytes, 'byte')}`]),
    `- groups: ${groupsDone} of ${groupsTotal}`,
    `- files: ${filesRemoved} now ${filesAdded}; bytes: ${bytesRemoved} now ${bytesAdded}`,
    `- passes: ${passes}`,
    ...nothingToDo(whyNothing(state)),
    ...skipped.map(({ reason, files }) => `- left ${counted(files, 'file')}: ${reason}`),
  ];
}
