import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { defineQuery, setHandler, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type {
  MaintainActivities,
  MaintainCounts,
  MaintainProgress,
  MaintainResult,
  MaintainRunInput,
  PlannedExpiry,
} from '../../activities/maintain-contract.js';
import { counted } from '../../errors/index.js';
import { showDetails } from '../run-details.js';

const TABLE = defineSearchAttributeKey('MoraineTable', SearchAttributeType.KEYWORD);
const maintainProgress = defineQuery<MaintainProgress>('progress');

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

/** Keeps what maintenance has done, and shows it: in the `progress` query, the memo, the details and the search attributes. */
export class MaintainReport {
  readonly #table: string;
  #step: MaintainProgress['step'] = 'planning';
  #passes = 0;
  #counts: MaintainCounts = NOTHING;
  #plan: PlannedExpiry | undefined;

  constructor({ table, searchAttributes }: MaintainRunInput) {
    this.#table = table;
    setHandler(maintainProgress, () => this.#progress(), { description: 'How far the maintenance is.' });
    if (searchAttributes) upsertSearchAttributes([{ key: TABLE, value: table }]);
  }

  begin(): void {
    this.#passes += 1;
    this.#counts = NOTHING;
    this.#plan = undefined;
    this.#show('planning');
  }

  expiring(plan: PlannedExpiry): void {
    const { snapshots, refs } = plan;
    this.#plan = plan;
    // Plans of version 0.1 shorten no log.
    const metadataFiles = (plan as Partial<PlannedExpiry>).metadataFiles ?? 0;
    this.#counts = { ...this.#counts, expiredRefs: refs, metadataFiles };
    this.#show('expiring');
    upsertMemo({ plan: { snapshots, refs: refs.slice(0, MAX_NAMES) }, progress: this.#progress() });
  }

  expired(snapshots: number): void {
    this.#counts = { ...this.#counts, expiredSnapshots: snapshots };
    this.#show('deleting');
  }

  deleted({ deletedFiles, unreadable }: Awaited<ReturnType<MaintainActivities['deleteExpiredFiles']>>): void {
    this.#counts = { ...this.#counts, expiredFiles: deletedFiles, unreadable };
    upsertMemo({ progress: this.#progress() });
  }

  sweeping(): void {
    this.#show('sweeping');
  }

  swept({ deletedFiles, deletedBytes }: Awaited<ReturnType<MaintainActivities['sweepOrphans']>>): void {
    this.#counts = {
      ...this.#counts,
      orphanFiles: this.#counts.orphanFiles + deletedFiles,
      orphanBytes: String(BigInt(this.#counts.orphanBytes) + BigInt(deletedBytes)),
    };
    this.#show('tidying');
  }

  done(tidied: Awaited<ReturnType<MaintainActivities['tidyManifests']>>): MaintainResult {
    return this.#finish({ ...this.#counts, ...tidied }, false);
  }

  /** The end of a dry run. */
  counted(counts: Awaited<ReturnType<MaintainActivities['planMaintain']>>): MaintainResult {
    return this.#finish(counts, true);
  }

  #finish(counts: MaintainCounts, dryRun: boolean): MaintainResult {
    this.#counts = counts;
    this.#show('done');
    upsertMemo({ progress: this.#progress() });
    const { workflowId } = workflowInfo();
    return { table: this.#table, workflowId, dryRun, ...counts, reason: whyNothing(counts) };
  }

  #progress(): MaintainProgress {
    const { expiredSnapshots, expiredFiles, orphanFiles } = this.#counts;
    const deletedFiles = expiredFiles + orphanFiles;
    return { step: this.#step, expiredSnapshots, deletedFiles, passes: this.#passes };
  }

  #show(step: MaintainProgress['step']): void {
    this.#step = step;
    const { expiredSnapshots, expiredFiles, orphanFiles, orphanBytes } = this.#counts;
    const plan = this.#plan;
    const reason = whyNothing(this.#counts);
    showDetails(`**${this.#table}**: ${step}`, [
      ...(plan === undefined
        ? []
        : [`- to expire: ${counted(plan.snapshots, 'snapshot')} and ${counted(plan.refs.length, 'ref')}`]),
      `- snapshots expired: ${expiredSnapshots}, with ${counted(expiredFiles, 'file')}`,
      `- orphans removed: ${orphanFiles}, ${counted(orphanBytes, 'byte')}`,
      ...(step === 'done' && reason !== null ? [`- nothing to do: ${reason}`] : []),
    ]);
  }
}

/** Why nothing was changed; null if something was. */
function whyNothing(counts: MaintainCounts): string | null {
  const { expiredSnapshots, expiredRefs, expiredFiles, orphanFiles, metadataFiles, droppedDeletes } = counts;
  const changes = expiredSnapshots + expiredRefs.length + expiredFiles + orphanFiles + metadataFiles + droppedDeletes;
  if (changes > 0 || counts.manifestsBefore !== counts.manifestsAfter) return null;
  return 'no snapshot is old enough to expire, no file is an orphan, and no delete file or manifest needs tidying';
}
