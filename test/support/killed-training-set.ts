/** A training set whose worker is killed with SIGKILL at a fault point, and finished by the next worker. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { TrainingSetResult } from '../../activities/contract.js';
import type { TrainingFaultPoint } from '../../training/index.js';
import { connectClient, startTrainingSet, waitForTrainingSet } from '../../workers/index.js';
import { killAtPoint } from './kill-at-point.js';
import { testSettings } from './temporal.js';
import { TrainingProject } from './training-project.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';

interface Survival {
  readonly killedBy: NodeJS.Signals | null;
  readonly result: TrainingSetResult;
}

export class KilledTrainingSet {
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-kill-')));
  readonly #workers: WorkerProcess[] = [];
  readonly #settings = testSettings();
  #made: TrainingProject | undefined;
  readonly #survival: Promise<Survival>;

  /** Starts at once: several wait for their heartbeats to time out together. */
  constructor(point: TrainingFaultPoint) {
    this.#survival = this.#run(point);
    this.#survival.catch(() => undefined); // reported by `expectWhole`
  }

  async #run(point: TrainingFaultPoint): Promise<Survival> {
    const made = await TrainingProject.createIn(this.#folder);
    this.#made = made;
    const temporal = await connectClient(this.#settings);
    try {
      const first = await this.#startWorker(point);
      const run = await startTrainingSet(temporal, this.#settings, {
        ...made.input(`set_${made.small.view}`),
        pin: true,
      });
      const { signal } = await first.ended;
      const second = await this.#startWorker(point);
      const result = await waitForTrainingSet(temporal.client, run);
      second.kill('SIGTERM');
      await second.ended;
      return { killedBy: signal, result };
    } finally {
      await temporal.close();
    }
  }

  async #startWorker(point: TrainingFaultPoint): Promise<WorkerProcess> {
    const { address, taskQueue } = this.#settings;
    const fault = killAtPoint(point, join(this.#folder, 'killed'));
    const environment = { ...fault, TEMPORAL_ADDRESS: address };
    const worker = await startWorkerProcess(this.#folder, ['worker', '--task-queue', taskQueue], environment);
    this.#workers.push(worker);
    return worker;
  }

  /** The dataset has the rows and digest of one that is saved at once, one snapshot, and one record. */
  async expectWhole(): Promise<void> {
    const { killedBy, result } = await this.#survival;
    expect(killedBy).toBe('SIGKILL');
    const made = this.#made ?? expect.unreachable();
    const whole = await made.saveWhole('whole');
    expect(result.digest).toBe(whole.digest);
    expect(await made.rowsOf(result.table)).toEqual(await made.rowsOf('demo.whole'));
    expect(await made.runKeys(result.table)).toHaveLength(1);
    const names = (await made.moraine.datasets()).map(({ record }) => record.name);
    expect(names).toEqual([result.name, 'whole']);
    expect(await made.moraine.replayDataset(result.name)).toMatchObject({ matches: true });
  }

  async clean(): Promise<void> {
    for (const worker of this.#workers) worker.kill('SIGKILL');
    await Promise.all(this.#workers.map((worker) => worker.ended));
    await this.#made?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
