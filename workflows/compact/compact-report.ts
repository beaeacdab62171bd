import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { defineQuery, setHandler, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type {
  CommittedCompaction,
  CompactCounts,
  CompactProgress,
  CompactResult,
  CompactRunInput,
  PlannedCompaction,
  RewrittenFiles,
} from '../../activities/compact-contract.js';
import type { ParkedCommit } from '../../activities/contract.js';
import { counted } from '../../errors/index.js';
import { parkedLines } from '../parked-commit.js';
import { showDetails } from '../run-details.js';

const TABLE = defineSearchAttributeKey('MoraineTable', SearchAttributeType.KEYWORD);
const compactProgress = defineQuery<CompactProgress>('progress');

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

const sum = (a: string, b: string): string => String(BigInt(a) + BigInt(b));

/** Keeps what a compaction has done, and shows it: in the `progress` query, the memo, the details and the search attributes. */
export class CompactReport {
  readonly #table: string;
  #step: CompactProgress['step'] = 'planning';
  #strategy: string | undefined;
  #passes = 0;
  #plan: PlannedCompaction | undefined;
  #groupsTotal = 0;
  #groupsDone = 0;
  #counts: CompactCounts = NOTHING;
  #parked: ParkedCommit | undefined;

  constructor({ table, searchAttributes, goesOn }: CompactRunInput) {
    this.#table = table;
    if (goesOn !== undefined) {
      this.#counts = goesOn.counts;
      this.#passes = goesOn.passes;
      this.#plan = goesOn.plan;
      this.#groupsTotal = goesOn.plan.groups;
      this.#groupsDone = goesOn.nextGroup;
      this.#strategy = goesOn.asked[0]?.request.strategy;
    }
    setHandler(compactProgress, () => this.#progress(), { description: 'How far the compaction is.' });
    if (searchAttributes) upsertSearchAttributes([{ key: TABLE, value: table }]);
  }

  get counts(): CompactCounts {
    return this.#counts;
  }

  begin(strategy: string): void {
    this.#strategy = strategy;
    this.#counts = NOTHING;
    this.#plan = undefined;
    this.#passes = 0;
  }

  planning(): void {
    this.#passes += 1;
    this.#show('planning');
  }

  planned(plan: PlannedCompaction): void {
    const { groups, files, rows, bytes, skipped } = plan;
    this.#plan = plan;
    this.#groupsTotal = groups;
    this.#groupsDone = 0;
    for (const one of skipped) this.#skip(one.reason, one.files);
    this.#show('rewriting');
    upsertMemo({ plan: { groups, files, rows, bytes }, progress: this.#progress() });
  }

  rewritten({ skipped, filesRemoved }: RewrittenFiles): void {
    this.#groupsDone += 1;
    if (skipped !== null) this.#skip(skipped, filesRemoved);
    this.#show('rewriting');
  }

  committing(): void {
    this.#show('committing');
  }

  /** Or no longer. */
  parked(parked: ParkedCommit | undefined): void {
    this.#parked = parked;
    this.#show(parked === undefined ? 'committing' : 'parked');
  }

  committed(groups: readonly RewrittenFiles[], { committed, snapshotId }: CommittedCompaction): void {
    for (const one of groups.filter(({ group }) => committed.includes(group))) {
      const { rows, bytesRemoved, bytesAdded } = this.#counts;
      this.#counts = {
        ...this.#counts,
        groups: this.#counts.groups + 1,
        filesRemoved: this.#counts.filesRemoved + one.filesRemoved,
        filesAdded: this.#counts.filesAdded + one.files,
        rows: sum(rows, one.rows),
        bytesRemoved: sum(bytesRemoved, one.bytesRemoved),
        bytesAdded: sum(bytesAdded, one.bytes),
      };
    }
    this.#counts = { ...this.#counts, snapshotId: snapshotId ?? this.#counts.snapshotId };
    this.#show('rewriting');
    upsertMemo({ progress: this.#progress() });
  }

  done(): CompactResult {
    this.#show('done');
    upsertMemo({ progress: this.#progress() });
    const { workflowId } = workflowInfo();
    return { table: this.#table, workflowId, passes: this.#passes, ...this.#counts, reason: this.#reason };
  }

  /** Why nothing was replaced. */
  get #reason(): string | null {
    return this.#counts.groups === 0 ? (this.#plan?.reason ?? null) : null;
  }

  get passes(): number {
    return this.#passes;
  }

  #skip(reason: string, files: number): void {
    const { skipped } = this.#counts;
    const known = skipped.find((one) => one.reason === reason);
    const others = skipped.filter((one) => one !== known);
    if (known === undefined && skipped.length >= MAX_REASONS) return;
    this.#counts = { ...this.#counts, skipped: [...others, { reason, files: files + (known?.files ?? 0) }] };
  }

  #progress(): CompactProgress {
    const { filesRemoved, filesAdded } = this.#counts;
    return {
      step: this.#step,
      ...(this.#strategy === undefined ? {} : { strategy: this.#strategy }),
      groupsTotal: this.#groupsTotal,
      groupsDone: this.#groupsDone,
      filesRemoved,
      filesAdded,
      passes: this.#passes,
      ...(this.#parked === undefined ? {} : { parked: this.#parked }),
    };
  }

  #show(step: CompactProgress['step']): void {
    this.#step = step;
    const { filesRemoved, filesAdded, bytesRemoved, bytesAdded, skipped } = this.#counts;
    const plan = this.#plan;
    showDetails(`**${this.#table}**: ${step}`, [
      ...(this.#strategy === undefined ? [] : [`- strategy: ${this.#strategy}`]),
      ...(plan === undefined
        ? []
        : [`- plan: ${counted(plan.files, 'file')}, ${counted(plan.rows, 'row')}, ${counted(plan.bytes, 'byte')}`]),
      `- groups: ${this.#groupsDone} of ${this.#groupsTotal}`,
      `- files: ${filesRemoved} now ${filesAdded}; bytes: ${bytesRemoved} now ${bytesAdded}`,
      `- passes: ${this.#passes}`,
      ...(this.#reason === null ? [] : [`- nothing to do: ${this.#reason}`]),
      ...skipped.map(({ reason, files }) => `- left ${counted(files, 'file')}: ${reason}`),
      ...(this.#parked === undefined ? [] : parkedLines(this.#parked)),
    ]);
  }
}
