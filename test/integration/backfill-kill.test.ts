/**
 * The worker of a backfill is killed with SIGKILL when a window is planned, and between the commit of a group and its report, and is
 * started again: the backfill finishes, the online table equals a recomputation, and each window was committed once.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { effectiveProgress, type FaultPoint } from '../../materialization/index.js';
import { type BackfillResult, connectClient, startBackfill, waitForBackfill } from '../../workers/index.js';
import { SmallProject } from '../support/small-project.js';
import { testSettings } from '../support/temporal.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const WINDOWS = 6;
const ROWS = 600;
const STEP_US = 100_000_000n;

class KilledBackfill {
  readonly #folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-kill-')));
  readonly #workers: WorkerProcess[] = [];
  readonly #settings = testSettings();
  small: SmallProject | undefined;

  async run(point: FaultPoint): Promise<{ killedBy: NodeJS.Signals | null; result: BackfillResult }> {
    const small = await SmallProject.createIn(this.#folder);
    this.small = small;
    for (let window = 0; window < WINDOWS; window++) await small.append(ROWS / WINDOWS, (window * ROWS) / WINDOWS, 10);
    const temporal = await connectClient(this.#settings);
    try {
      const first = await this.#startWorker(point);
      const range = { startUs: '0', endUs: String(BigInt(WINDOWS) * STEP_US), stepUs: String(STEP_US) };
      const input = { view: small.view, ...range, newestFirst: true, concurrency: 2, windowsPerCommit: 2 };
      const run = await startBackfill(temporal, this.#settings, input);
      const { signal } = await first.ended;
      const second = await this.#startWorker(point);
      const result = await waitForBackfill(temporal.client, run);
      second.kill('SIGTERM');
      await second.ended;
      return { killedBy: signal, result };
    } finally {
      await temporal.close();
    }
  }

  async #startWorker(point: FaultPoint): Promise<WorkerProcess> {
    const { address, taskQueue } = this.#settings;
    const fault = { MORAINE_FAULT_POINT: point, MORAINE_FAULT_MARKER: join(this.#folder, 'killed') };
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

/** The first and the last point; the points between are tried in process, at every access to storage and catalog. */
const POINTS: readonly FaultPoint[] = ['plan-written', 'after-swap'];
const made: KilledBackfill[] = [];

afterAll(async () => {
  await Promise.all(made.map((run) => run.clean()));
});

/** Of rows in order of sensor and time. */
function newestOf(rows: readonly unknown[][]): readonly unknown[][] {
  return [...new Map(rows.map((row) => [row[0], row])).values()];
}

describe('a backfill whose worker is killed', () => {
  test.each(POINTS)(
    'at %s: it finishes, each window is committed once, and the rows are right',
    async (point) => {
      const started = new KilledBackfill();
      made.push(started);
      const { killedBy, result } = await started.run(point);
      expect(killedBy).toBe('SIGKILL');
      expect(result.windows).toBe(WINDOWS);
      const { small } = started;
      const newest = newestOf((await small?.onlineRows()) ?? []);
      expect(newest).toEqual(await small?.recomputed());
      expect(newest).toHaveLength(10);
      const metadata = (await small?.online())?.metadata;
      if (metadata === undefined) throw new Error('no online table');
      const keys = metadata.snapshots.flatMap(({ summary }) => summary.get('moraine.window-keys')?.split(' ') ?? []);
      expect(new Set(keys).size).toBe(keys.length);
      const coverage = effectiveProgress(metadata).progress?.coverage ?? [];
      expect(coverage).toHaveLength(1);
    },
    180_000,
  );
});
