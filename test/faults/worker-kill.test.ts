/**
 * The worker is killed with SIGKILL at each step of a run and started again: the workflow finishes, the online table
 * equals a recomputation, and the run's key has one commit. All points at once, because each waits for a heartbeat to
 * time out.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAULT_POINTS, type FaultPoint } from '../../materialization/index.js';
import { connectClient, type MaterializeResult, startMaterialization, waitForRun } from '../../workers/index.js';
import { KilledTrainingSet } from '../support/killed-training-set.js';
import { SmallProject } from '../support/small-project.js';
import { testSettings } from '../support/temporal.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

interface Survival {
  readonly killedBy: NodeJS.Signals | null;
  readonly result: MaterializeResult;
  readonly secondWorkerExitCode: number | null;
}

class KilledRun {
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-kill-')));
  readonly #workers: WorkerProcess[] = [];
  readonly #settings = testSettings();
  small: SmallProject | undefined;

  async run(point: FaultPoint): Promise<Survival> {
    const small = await SmallProject.createIn(this.#folder);
    this.small = small;
    await small.append(5_000);
    const temporal = await connectClient(this.#settings);
    try {
      const first = await this.#startWorker(point);
      const run = await startMaterialization(temporal, this.#settings, { view: small.view });
      const { signal } = await first.ended;
      const second = await this.#startWorker(point);
      const result = await waitForRun(temporal.client, run);
      second.kill('SIGTERM');
      return { killedBy: signal, result, secondWorkerExitCode: (await second.ended).code };
    } finally {
      await temporal.close();
    }
  }

  async #startWorker(point: FaultPoint): Promise<WorkerProcess> {
    const marker = join(this.#folder, 'killed');
    const { address, taskQueue } = this.#settings;
    const fault = { MORAINE_FAULT_POINT: point, MORAINE_FAULT_MARKER: marker };
    const environment = { ...fault, TEMPORAL_ADDRESS: address };
    const worker = await startWorkerProcess(this.#folder, ['worker', '--task-queue', taskQueue], environment);
    this.#workers.push(worker);
    return worker;
  }

  async clean(): Promise<void> {
    for (const worker of this.#workers) worker.kill('SIGKILL');
    await Promise.all(this.#workers.map((worker) => worker.ended));
    await this.small?.project.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

let trainingSet: KilledTrainingSet;
const runs = new Map<FaultPoint, { readonly run: KilledRun; readonly survival: Promise<Survival> }>();

beforeAll(() => {
  trainingSet = new KilledTrainingSet('dataset-rows-committed');
  for (const point of FAULT_POINTS) {
    const run = new KilledRun();
    const survival = run.run(point);
    survival.catch(() => undefined); // reported by the point's own test
    runs.set(point, { run, survival });
  }
});

afterAll(async () => {
  await Promise.all([trainingSet.clean(), ...[...runs.values()].map(({ run }) => run.clean())]);
});

describe('a worker that is killed', () => {
  test.each(FAULT_POINTS)(
    'at %s: the run finishes, with one commit and the right rows',
    async (point) => {
      const started = runs.get(point);
      if (started === undefined) throw new Error('not started');
      const survival = await started.survival;
      expect(survival.killedBy).toBe('SIGKILL');
      expect(survival.secondWorkerExitCode).toBe(0);
      expect(survival.result).toMatchObject({ kind: 'incremental', rows: '100' });
      const { small } = started.run;
      const keys = await small?.runKeys();
      expect(keys).toHaveLength(1);
      expect(keys?.[0]).toMatch(/^[0-9a-f]{64}$/);
      expect(await small?.onlineRows()).toEqual(await small?.recomputed());
      expect(await small?.onlineRows()).toHaveLength(100);
    },
    180_000,
  );

  test(
    'between the rows and the record of a training set: the dataset is whole, and there once',
    () => trainingSet.expectWhole(),
    180_000,
  );
});
