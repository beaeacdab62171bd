import {
  commitTrainingWindows,
  readBackfillPlan,
  stageTrainingWindow,
  type TrainingBackfillPlan,
} from '../backfill/index.js';
import { sumFromHex, sumToHex } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { datasetDeps, type Project } from '../project/index.js';
import type { BackfillActivities } from './backfill-contract.js';
import { asActivity } from './step.js';

type TrainingWindowActivities = Pick<BackfillActivities, 'stageTrainingWindow' | 'commitTrainingWindows'>;

/** The activities of backfills that are for training sets alone. */
export function createTrainingWindowActivities(project: Project): TrainingWindowActivities {
  const plans = new TrainingPlans(project);
  return {
    stageTrainingWindow: ({ planLocation, startUs, endUs }) =>
      asActivity(async (step) => {
        const plan = await plans.get(planLocation);
        const window = { startUs: BigInt(startUs), endUs: BigInt(endUs) };
        const staged = await stageTrainingWindow(await datasetDeps(project), plan, window, step);
        if (staged === null) return { kind: 'nothing' };
        const { manifestLocation, rows, sum, files, bytes, workMs } = staged;
        const manifestLocations = manifestLocation === null ? [] : [manifestLocation];
        const counts = { rows: String(rows), files, bytes: String(bytes) };
        return { kind: 'staged', planLocation, manifestLocations, workMs, ...counts, sum: sumToHex(sum) };
      }),

    commitTrainingWindows: ({ planLocation, windows }) =>
      asActivity(async () => {
        const staged = windows.map(
          ({ startUs, endUs, manifestLocations: [manifestLocation = null], rows, sum, workMs }) => ({
            startUs: BigInt(startUs),
            endUs: BigInt(endUs),
            manifestLocation,
            rows: BigInt(rows),
            sum: sumFromHex(sum),
            workMs,
          }),
        );
        const plan = await plans.get(planLocation);
        const { snapshotId, outcomes } = await commitTrainingWindows(await datasetDeps(project), plan, staged);
        return { snapshotId: snapshotId === null ? null : String(snapshotId), outcomes };
      }),
  };
}

/** Plans never change, and each of their windows asks for one: the last few are kept. */
class TrainingPlans {
  static readonly #KEPT = 4;
  readonly #project: Project;
  readonly #plans = new Map<string, Promise<TrainingBackfillPlan>>();

  constructor(project: Project) {
    this.#project = project;
  }

  get(location: string): Promise<TrainingBackfillPlan> {
    const plan = this.#plans.get(location) ?? this.#read(location);
    this.#plans.delete(location);
    this.#plans.set(location, plan);
    plan.catch(() => this.#plans.delete(location));
    const [oldest] = this.#plans.keys();
    if (this.#plans.size > TrainingPlans.#KEPT && oldest !== undefined) this.#plans.delete(oldest);
    return plan;
  }

  async #read(location: string): Promise<TrainingBackfillPlan> {
    const plan = await readBackfillPlan(this.#project.io, location);
    if (plan.trainingSet !== undefined) return plan;
    throw new MoraineError('INVALID_ARGUMENT', `${location} is the plan of a view, not of a training set.`);
  }
}
