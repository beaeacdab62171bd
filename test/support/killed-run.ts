/** A materialization whose worker dies by SIGKILL, and that the next worker finishes. */
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { connectClient, type MaterializeResult, startMaterialization, waitForRun } from '../../workers/index.js';
import { SmallProject } from './small-project.js';
import { testSettings } from './temporal.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';

export interface Survival {
  /** Null: the first worker was not killed. */
  readonly killedBy: NodeJS.Signals | null;
  readonly result: MaterializeResult;
  readonly lastWorkerExitCode: number | null;
}

export class KilledRun {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-kill-')));
  readonly #workers: WorkerProcess[] = [];
  readonly #settings = testSettings();
  readonly #faultOf: (marker: string) => Readonly<Record<string, string>>;
  small: SmallProject | undefined;

  /** @param faultOf environment that kills a worker, unless the file `marker` exists, which it creates */
  constructor(faultOf: (marker: string) => Readonly<Record<string, string>>) {
    this.#faultOf = faultOf;
  }

  async run(): Promise<Survival> {
    const small = await SmallProject.createIn(this.folder);
    this.small = small;
    await small.append(5_000);
    const temporal = await connectClient(this.#settings);
    try {
      const first = await this.#startWorker();
      const run = await startMaterialization(temporal, this.#settings, { view: small.view });
      const outcome = waitForRun(temporal.client, run);
      await Promise.race([first.ended, outcome]);
      const isKilled = existsSync(this.#marker);
      const last = isKilled ? await this.#startWorker() : first;
      const result = await outcome;
      last.kill('SIGTERM');
      const { code } = await last.ended;
      return { killedBy: isKilled ? (await first.ended).signal : null, result, lastWorkerExitCode: code };
    } finally {
      await temporal.close();
    }
  }

  /** The run has ended well, with one commit, and the online table holds the right rows. */
  async expectWhole({ result, lastWorkerExitCode }: Survival): Promise<void> {
    expect(lastWorkerExitCode).toBe(0);
    expect(result).toMatchObject({ kind: 'incremental', rows: '100' });
    const keys = await this.small?.runKeys();
    expect(keys).toHaveLength(1);
    expect(keys?.[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(await this.small?.onlineRows()).toEqual(await this.small?.recomputed());
    expect(await this.small?.onlineRows()).toHaveLength(100);
  }

  get #marker(): string {
    return join(this.folder, 'killed');
  }

  async #startWorker(): Promise<WorkerProcess> {
    const { address, taskQueue } = this.#settings;
    const environment = { ...this.#faultOf(this.#marker), TEMPORAL_ADDRESS: address };
    const worker = await startWorkerProcess(this.folder, ['worker', '--task-queue', taskQueue], environment);
    this.#workers.push(worker);
    return worker;
  }

  async clean(): Promise<void> {
    for (const worker of this.#workers) worker.kill('SIGKILL');
    await Promise.all(this.#workers.map((worker) => worker.ended));
    await this.small?.project.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
