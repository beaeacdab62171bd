/** Whether the workflow code of a worker process works: what the SDK counts of failed workflow tasks, and threads that never rest. */
import type { Worker } from '@temporalio/worker';

/** The server tries a failing workflow task again within this time, so that a run which still fails is seen before its last failure is forgotten. */
const REMEMBERED_MS = 600_000;
/** A workflow task takes milliseconds. The SDK ends one that computes for 5 s; one that it cannot end keeps its thread for good. */
const BUSY_MS = 15_000;
const LOOK_AT_THREADS_MS = 500;
const LOOK_AT_METRICS_MS = 5_000;

/** Workflow tasks of one kind that have failed. */
interface FailedTasks {
  readonly workflowType: string;
  /** The SDK's word: `WorkflowError`, `NonDeterminismError`, .. */
  readonly reason: string;
  readonly count: number;
  readonly lastAtMs: number;
}

/** Watches the workers of a process until it is closed. */
export class WorkflowTaskHealth {
  readonly #workers: readonly Pick<Worker, 'getStatus'>[];
  readonly #metrics: () => Promise<string>;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #failed = new Map<string, FailedTasks>();
  #restedAtMs = Date.now();

  /**
   * @param workers may be filled later
   * @param metrics of the SDK, in Prometheus' text format; empty if they cannot be had
   */
  constructor(workers: readonly Pick<Worker, 'getStatus'>[], metrics: () => Promise<string>) {
    this.#workers = workers;
    this.#metrics = metrics;
    this.#timers = [
      setInterval(() => this.#lookAtThreads(), LOOK_AT_THREADS_MS).unref(),
      setInterval(() => void this.#lookAtMetrics(), LOOK_AT_METRICS_MS).unref(),
    ];
  }

  /** The problems, one sentence each; empty if there are none. */
  async problems(): Promise<readonly string[]> {
    await this.#lookAtMetrics();
    const nowMs = Date.now();
    const recent = [...this.#failed.values()].filter(({ lastAtMs }) => nowMs - lastAtMs < REMEMBERED_MS);
    const failing = recent.map(
      ({ workflowType, reason, count }) => `Workflow tasks of ${workflowType} failed ${count} times (${reason}).`,
    );
    const busyMs = nowMs - this.#restedAtMs;
    if (busyMs < BUSY_MS) return failing;
    return [...failing, `Workflow code has kept a thread busy for ${Math.round(busyMs / 1000)} s.`];
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #lookAtThreads(): void {
    if (this.#workers.every((worker) => worker.getStatus().numInFlightWorkflowActivations === 0)) {
      this.#restedAtMs = Date.now();
    }
  }

  async #lookAtMetrics(): Promise<void> {
    for (const found of failedTasks(await this.#metrics())) {
      const key = `${found.workflowType} ${found.reason}`;
      const before = this.#failed.get(key)?.count ?? 0;
      if (found.count > before) this.#failed.set(key, { ...found, lastAtMs: Date.now() });
    }
  }
}

const FAILED = /^temporal_workflow_task_execution_failed_total\{(.*)\} (\d+)$/gm;

function* failedTasks(metrics: string): Generator<Omit<FailedTasks, 'lastAtMs'>> {
  for (const [, labels = '', count] of metrics.matchAll(FAILED)) {
    const label = (name: string): string => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    yield { workflowType: label('workflow_type'), reason: label('failure_reason'), count: Number(count) };
  }
}
