/** A workflow whose worker dies by SIGKILL, and that the next worker finishes. */

import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { leasesOf } from '../../tables/index.js';
import { connectClient } from '../../workers/index.js';
import { DATED_FILES_OPTION } from './dated-files.js';
import { SmallProject, type SmallProjectOptions } from './small-project.js';
import { testSettings } from './temporal.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';
import type { Work } from './works.js';

export interface Survival {
  /** Null: the first worker was not killed. */
  readonly killedBy: NodeJS.Signals | null;
  /** Of the workflow. */
  readonly result: unknown;
  readonly lastWorkerExitCode: number | null;
}

/** The file that says that the first worker is up. @param folder of a {@link KilledRun} */
export const workerIsUp = (folder: string): string => join(folder, 'worker-is-up');

/** Where the tables are; unless given, in the folder of the run. */
type Place = Pick<SmallProjectOptions, 'config' | 'age'>;

/** Rejects if a worker ends: nobody else would finish its work. */
async function endsEarly(worker: WorkerProcess): Promise<never> {
  const { code, signal } = await worker.ended;
  throw new Error(`the worker ended with ${signal ?? code}: ${worker.errors()}`);
}

export class KilledRun {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-kill-')));
  readonly #workers: WorkerProcess[] = [];
  readonly #settings = testSettings();
  readonly #work: Work;
  readonly #faultOf: (marker: string) => Readonly<Record<string, string>>;
  readonly #place: Place;
  small: SmallProject | undefined;

  /** @param faultOf environment that kills a worker, unless the file `marker` exists, which it creates */
  constructor(work: Work, faultOf: (marker: string) => Readonly<Record<string, string>>, place: Place = {}) {
    this.#work = work;
    this.#faultOf = faultOf;
    this.#place = place;
  }

  async run(): Promise<Survival> {
    const { workflow, options, prepare, input } = this.#work;
    const small = await SmallProject.createIn(this.folder, { ...options, ...this.#place });
    this.small = small;
    await prepare(small);
    const temporal = await connectClient(this.#settings);
    try {
      const first = await this.#startWorker();
      writeFileSync(workerIsUp(this.folder), '');
      const { taskQueue } = this.#settings;
      const request = { workflowId: `killed/${randomUUID()}`, taskQueue, args: [input(small)] };
      const outcome = (await temporal.client.workflow.start(workflow, request)).result();
      await Promise.race([first.ended, outcome]);
      const isKilled = existsSync(this.#marker);
      const last = isKilled ? await this.#startWorker() : first;
      const result: unknown = await Promise.race([outcome, endsEarly(last)]);
      last.kill('SIGTERM');
      const { code } = await last.ended;
      return { killedBy: isKilled ? (await first.ended).signal : null, result, lastWorkerExitCode: code };
    } finally {
      await temporal.close();
    }
  }

  /** The run has ended well, and the tables are as they must be. */
  async expectWhole({ result, lastWorkerExitCode }: Survival): Promise<void> {
    expect(lastWorkerExitCode).toBe(0);
    expect(result).toMatchObject(this.#work.result);
    const small = this.small ?? expect.unreachable();
    await this.#work.expectSound(small);
    await this.#work.expectDone(small);
    const written = await small.project.loadTable(this.#work.written(small).table);
    expect(leasesOf(written.metadata)).toEqual([]);
  }

  get #marker(): string {
    return join(this.folder, 'killed');
  }

  async #startWorker(): Promise<WorkerProcess> {
    const { address, taskQueue } = this.#settings;
    const fault = this.#faultOf(this.#marker);
    const NODE_OPTIONS = [fault['NODE_OPTIONS'] ?? '', DATED_FILES_OPTION].join(' ');
    const environment = { ...fault, NODE_OPTIONS, TEMPORAL_ADDRESS: address };
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
