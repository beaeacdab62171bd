import type {
  BackfillRunInput,
  BackfillSegment,
  CommittedWindows,
  PlannedBackfill,
  RanAlone,
  StagedBackfillWindow,
  StageWindowInput,
} from '../../activities/backfill-contract.js';
import type { PlanReference } from '../../activities/contract.js';
import { trainingWindowStaging, trainingWindowsCommit, windowStaging, windowsCommit } from './backfill-policies.js';

/** Windows that are read and wait for their commit. */
export interface PendingWindows {
  readonly segment: BackfillSegment;
  readonly staged: Extract<StagedBackfillWindow, { readonly kind: 'staged' }>;
}

/** The target of a backfill: reads windows for it and commits them, by the activities of views or those of training sets. */
export class BackfillTarget {
  readonly #input: BackfillRunInput;
  readonly #plan: Required<PlanReference>;

  constructor(input: BackfillRunInput, { planLocation, onlineTable }: PlannedBackfill) {
    this.#input = input;
    this.#plan = { planLocation, table: onlineTable };
  }

  stage(segment: BackfillSegment): Promise<StagedBackfillWindow> {
    const summary = `Read: ${this.describe(segment)}`;
    if (this.#input.view !== undefined)
      return windowStaging.stageWindow.executeWithOptions({ summary }, [this.#window(segment)]);
    const window = { ...this.#plan, ...this.#times(segment) };
    return trainingWindowStaging.stageTrainingWindow.executeWithOptions({ summary }, [window]);
  }

  commit(group: readonly PendingWindows[]): Promise<CommittedWindows> {
    const { view } = this.#input;
    if (view === undefined) return this.#commitTraining(group);
    const windows = group.map(({ staged: { planLocation, manifestLocations, workMs } }) => ({
      planLocation,
      manifestLocations,
      workMs,
    }));
    return windowsCommit.commitWindows({ view, table: this.#plan.table, windows });
  }

  #commitTraining(group: readonly PendingWindows[]): Promise<CommittedWindows> {
    const windows = group.map(({ segment, staged: { manifestLocations, rows, sum = '0', workMs } }) => ({
      ...this.#times(segment),
      manifestLocations,
      rows,
      sum,
      workMs,
    }));
    return trainingWindowsCommit.commitTrainingWindows({ ...this.#plan, windows });
  }

  /** Windows whose buckets have to be rebuilt; only views have such. */
  runAlone(segment: BackfillSegment): Promise<RanAlone> {
    const summary = `Rebuild: ${this.describe(segment)}`;
    return windowStaging.runWindowAlone.executeWithOptions({ summary }, [this.#window(segment)]);
  }

  /** Windows of a view. */
  #window(segment: BackfillSegment): StageWindowInput {
    const { view = '', engine } = this.#input;
    return { view, ...this.#times(segment), ...(engine === undefined ? {} : { engine }) };
  }

  /** ISO-8601, `<start>..<end>`. */
  describe(segment: BackfillSegment): string {
    const { startUs, endUs } = this.#times(segment);
    return `${timeText(startUs)}..${timeText(endUs)}`;
  }

  #times([first, last]: BackfillSegment): { readonly startUs: string; readonly endUs: string } {
    const { startUs: start, stepUs: step } = this.#input;
    const startUs = BigInt(start) + BigInt(first) * BigInt(step);
    const endUs = BigInt(start) + BigInt(last + 1) * BigInt(step);
    return { startUs: String(startUs), endUs: String(endUs) };
  }
}

const timeText = (us: string): string => new Date(Number(BigInt(us) / 1000n)).toISOString();
