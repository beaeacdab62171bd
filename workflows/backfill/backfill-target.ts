import type {
  BackfillRunInput,
  BackfillSegment,
  CommittedWindows,
  RanAlone,
  StagedBackfillWindow,
} from '../../activities/backfill-contract.js';
import { trainingWindowStaging, trainingWindowsCommit, windowStaging, windowsCommit } from './backfill-policies.js';

/** Windows that are read and wait for their commit. */
export interface PendingWindows {
  readonly segment: BackfillSegment;
  readonly staged: Extract<StagedBackfillWindow, { readonly kind: 'staged' }>;
}

/** The target of a backfill: reads windows for it and commits them, by the activities of views or those of training sets. */
export class BackfillTarget {
  readonly #input: BackfillRunInput;
  readonly #planLocation: string;

  constructor(input: BackfillRunInput, planLocation: string) {
    this.#input = input;
    this.#planLocation = planLocation;
  }

  stage(segment: BackfillSegment): Promise<StagedBackfillWindow> {
    const summary = `Read: ${this.describe(segment)}`;
    const { view } = this.#input;
    const times = this.#times(segment);
    if (view !== undefined) return windowStaging.stageWindow.executeWithOptions({ summary }, [{ view, ...times }]);
    const window = { planLocation: this.#planLocation, ...times };
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
    return windowsCommit.commitWindows({ view, windows });
  }

  #commitTraining(group: readonly PendingWindows[]): Promise<CommittedWindows> {
    const windows = group.map(({ segment, staged: { manifestLocations, rows, sum = '0', workMs } }) => ({
      ...this.#times(segment),
      manifestLocations,
      rows,
      sum,
      workMs,
    }));
    return trainingWindowsCommit.commitTrainingWindows({ planLocation: this.#planLocation, windows });
  }

  /** Windows whose buckets have to be rebuilt; only views have such. */
  runAlone(segment: BackfillSegment): Promise<RanAlone> {
    const { view = '' } = this.#input;
    const summary = `Rebuild: ${this.describe(segment)}`;
    return windowStaging.runWindowAlone.executeWithOptions({ summary }, [{ view, ...this.#times(segment) }]);
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
