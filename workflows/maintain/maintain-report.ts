/** What the details, the query `progress` and the result of a table's maintenance say. */
import type {
  MaintainActivities,
  MaintainCounts,
  MaintainProgress,
  MaintainResult,
  MaintainRunInput,
  PlannedExpiry,
} from '../../activities/maintain-contract.js';
import { counted } from '../../errors/index.js';
import { type Change, nothingToDo, Report, sum } from '../report.js';
import { withoutTraffic } from '../storage-traffic.js';

type Answer<Step extends keyof MaintainActivities> = Awaited<ReturnType<MaintainActivities[Step]>>;

const NOTHING: MaintainCounts = {
  expiredSnapshots: 0,
  expiredRefs: [],
  expiredFiles: 0,
  orphanFiles: 0,
  orphanBytes: '0',
  unreadable: [],
  metadataFiles: 0,
  droppedDeletes: 0,
  manifestsBefore: 0,
  manifestsAfter: 0,
};
/** Names of expired refs that the memo carries at most. */
const MAX_NAMES = 20;

interface MaintainState {
  readonly progress: MaintainProgress;
  readonly counts: MaintainCounts;
  readonly plan: PlannedExpiry | undefined;
}

export type MaintainReport = Report<MaintainState>;

export function maintainReport({ table, searchAttributes }: MaintainRunInput): MaintainReport {
  return new Report<MaintainState>({
    subject: table,
    description: 'How far the maintenance is.',
    first: notPlanned(0),
    lines,
    attributes: { table },
    searchAttributes,
  });
}

function notPlanned(passes: number): MaintainState {
  const progress: MaintainProgress = { step: 'planning', expiredSnapshots: 0, deletedFiles: 0, passes };
  return { progress, counts: NOTHING, plan: undefined };
}

export const requestBegan: Change<MaintainState> = ({ progress }) => notPlanned(progress.passes + 1);

export const planMade =
  (plan: PlannedExpiry): Change<MaintainState> =>
  ({ progress, counts }) => {
    // Plans of version 0.1 shorten no log.
    const { refs, metadataFiles = 0 }: Partial<PlannedExpiry> & Pick<PlannedExpiry, 'refs'> = plan;
    const planned = { ...counts, expiredRefs: refs, metadataFiles };
    return { progress: { ...progress, step: 'expiring' }, counts: planned, plan };
  };

/** Of a plan, for the memo. */
export const planNumbers = ({ snapshots, refs }: PlannedExpiry) => ({ snapshots, refs: refs.slice(0, MAX_NAMES) });

export const snapshotsExpired = (expiredSnapshots: number) => counting('deleting', () => ({ expiredSnapshots }));

export const filesDeleted = ({ deletedFiles, unreadable }: Answer<'deleteExpiredFiles'>) =>
  counting('deleting', () => ({ expiredFiles: deletedFiles, unreadable }));

export const orphansSwept = ({ deletedFiles, deletedBytes, fileOwner }: Answer<'sweepOrphans'>) =>
  counting('tidying', ({ orphanFiles, orphanBytes }) => ({
    orphanFiles: orphanFiles + deletedFiles,
    orphanBytes: sum(orphanBytes, deletedBytes),
    ...(fileOwner === undefined ? {} : { fileOwner }),
  }));

/** The last step of a pass; in a dry run the only one, which counts everything. */
export const countsKnown = (counts: Partial<MaintainCounts>) => counting('done', () => withoutTraffic(counts));

/** More is counted; the progress shows some of the counts. */
function counting(
  step: MaintainProgress['step'],
  more: (counts: MaintainCounts) => Partial<MaintainCounts>,
): Change<MaintainState> {
  return (state) => {
    const counts = { ...state.counts, ...more(state.counts) };
    const { expiredSnapshots, expiredFiles, orphanFiles } = counts;
    const deletedFiles = expiredFiles + orphanFiles;
    return { ...state, progress: { ...state.progress, step, expiredSnapshots, deletedFiles }, counts };
  };
}

export const maintainResult =
  (table: string, dryRun: boolean) =>
  ({ counts }: MaintainState, workflowId: string): MaintainResult => ({
    table,
    workflowId,
    dryRun,
    ...counts,
    reason: whyNothing(counts),
  });

/** Why nothing was changed; null if something was. */
function whyNothing(counts: MaintainCounts): string | null {
  const { expiredSnapshots, expiredRefs, expiredFiles, orphanFiles, metadataFiles, droppedDeletes } = counts;
  const changes = expiredSnapshots + expiredRefs.length + expiredFiles + orphanFiles + metadataFiles + droppedDeletes;
  if (changes > 0 || counts.manifestsBefore !== counts.manifestsAfter) return null;
  if (counts.fileOwner !== undefined)
    return `snapshots and files are left to ${counts.fileOwner}, and no delete file or manifest needs tidying`;
  return 'no snapshot is old enough to expire, no file is an orphan, and no delete file or manifest needs tidying';
}

function lines({ progress, counts, plan }: MaintainState): readonly string[] {
  const { expiredSnapshots, expiredFiles, orphanFiles, orphanBytes } = counts;
  return [
    ...(plan === undefined
      ? []
      : [`- to expire: ${counted(plan.snapshots, 'snapshot')} and ${counted(plan.refs.length, 'ref')}`]),
    `- snapshots expired: ${expiredSnapshots}, with ${counted(expiredFiles, 'file')}`,
    `- orphans removed: ${orphanFiles}, ${counted(orphanBytes, 'byte')}`,
    ...(counts.fileOwner === undefined ? [] : [`- snapshots and files: left to ${counts.fileOwner}`]),
    ...(progress.step === 'done' ? nothingToDo(whyNothing(counts)) : []),
  ];
}
