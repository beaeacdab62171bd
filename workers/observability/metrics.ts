/** The metrics of a worker process, in Prometheus' text format: ours, those of Node, and those of Temporal's SDK. */
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { COMMIT_CHANNEL, type CommitEvent } from '../../catalogs/index.js';
import { STATEMENT_CHANNEL, type StatementEvent } from '../../engine/index.js';
import type { Project } from '../../project/index.js';
import { measureTraffic, noTraffic, type Traffic } from '../../storage/index.js';

/** Steps and statements take from milliseconds to hours. */
const DURATION_BUCKETS_S = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800, 7200];
const SDK_METRICS_TIMEOUT_MS = 2000;

const ENGINE_MEMORY =
  'SELECT coalesce(sum(memory_usage_bytes), 0)::DOUBLE, coalesce(sum(temporary_storage_bytes), 0)::DOUBLE FROM duckdb_memory()';

export class WorkerMetrics {
  readonly #registry = new Registry();
  readonly #sdkUrl: string;
  readonly #activities = this.#histogram('moraine_activity_duration_seconds', 'Time of one attempt of an activity.', [
    'activity',
    'outcome',
  ]);
  readonly #statements = this.#histogram('moraine_statement_duration_seconds', 'Time of a statement of DuckDB.', [
    'statement',
  ]);
  readonly #rows = this.#counter('moraine_rows_written_total', 'Rows in staged files.', ['activity']);
  readonly #bytes = this.#counter('moraine_bytes_written_total', 'Bytes of staged files.', ['activity']);
  readonly #commits = this.#counter('moraine_commits_total', 'Attempts to commit, by how the catalog answered.', [
    'outcome',
  ]);
  readonly #requests = this.#counter('moraine_storage_requests_total', 'Requests to object stores.', ['activity']);
  readonly #traffic = this.#counter('moraine_storage_bytes_total', 'Bytes of objects of stores.', [
    'activity',
    'direction',
  ]);
  readonly #started = new WeakMap<object, () => void>();

  /** @param sdkUrl where Temporal's own runtime serves its metrics */
  constructor(project: Project, sdkUrl: string) {
    this.#sdkUrl = sdkUrl;
    collectDefaultMetrics({ register: this.#registry });
    this.#observeEngine(project);
    subscribe(COMMIT_CHANNEL, this.#onCommit);
    tracingChannel(STATEMENT_CHANNEL).subscribe(this.#statementHandlers);
  }

  /** Measures every activity of a worker. */
  readonly activityInterceptors: ActivityInterceptorsFactory = ({ info }) => ({
    inbound: {
      execute: async (input, next) => {
        const activity = info.activityType;
        const stop = this.#activities.startTimer({ activity });
        const traffic = noTraffic();
        try {
          const result: unknown = await measureTraffic(traffic, () => next(input));
          stop({ outcome: 'completed' });
          this.#countStaged(activity, result);
          return result;
        } catch (error) {
          stop({ outcome: outcomeOf(error) });
          throw error;
        } finally {
          this.#countTraffic(activity, traffic);
        }
      },
    },
  });

  /** All metrics as text. Those of the SDK are left out if its runtime does not answer. */
  async text(): Promise<string> {
    const [ours, sdk] = await Promise.all([this.#registry.metrics(), this.sdkText()]);
    return `${ours}${sdk}`;
  }

  close(): void {
    unsubscribe(COMMIT_CHANNEL, this.#onCommit);
    tracingChannel(STATEMENT_CHANNEL).unsubscribe(this.#statementHandlers);
    this.#registry.clear();
  }

  readonly #onCommit = (message: unknown): void => {
    this.#commits.inc({ outcome: (message as CommitEvent).outcome });
  };

  readonly #statementHandlers = {
    start: (message: unknown) => {
      const event = message as StatementEvent;
      this.#started.set(event, this.#statements.startTimer({ statement: event.kind }));
    },
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: (message: unknown) => this.#started.get(message as StatementEvent)?.(),
    error: () => undefined,
  };

  /** Steps that stage files are recognised by their result. That of a plan counts what is to be read. */
  #countStaged(activity: string, result: unknown): void {
    if (typeof result !== 'object' || result === null || !('rows' in result) || !('bytes' in result)) return;
    if (activity.startsWith('plan')) return;
    this.#rows.inc({ activity }, Number(result.rows) || 0);
    this.#bytes.inc({ activity }, Number(result.bytes) || 0);
  }

  #countTraffic(activity: string, { requests, readBytes, writtenBytes }: Traffic): void {
    if (requests === 0) return;
    this.#requests.inc({ activity }, requests);
    this.#traffic.inc({ activity, direction: 'read' }, readBytes);
    this.#traffic.inc({ activity, direction: 'written' }, writtenBytes);
  }

  #observeEngine(project: Project): void {
    const engineBytes = new Gauge({
      name: 'moraine_engine_bytes',
      help: 'Memory that DuckDB has counted, its limit, and its temporary files.',
      labelNames: ['kind'],
      registers: [this.#registry],
      collect: async () => {
        for (const [kind, bytes] of await engineUse(project)) engineBytes.set({ kind }, bytes);
      },
    });
  }

  /** Metrics of Temporal's own runtime; empty if it does not answer. */
  async sdkText(): Promise<string> {
    try {
      const response = await fetch(this.#sdkUrl, { signal: AbortSignal.timeout(SDK_METRICS_TIMEOUT_MS) });
      return response.ok ? await response.text() : '';
    } catch {
      return '';
    }
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Histogram<Label> {
    return new Histogram({ name, help, labelNames, buckets: DURATION_BUCKETS_S, registers: [this.#registry] });
  }
}

/** Bytes by kind; none if the engine does not answer. */
async function engineUse(project: Project): Promise<ReadonlyMap<string, number>> {
  try {
    const engine = await project.engine();
    const [row] = await engine.withConnection((connection) => connection.rows(ENGINE_MEMORY));
    return new Map([
      ['limit', engine.memoryLimitBytes],
      ['memory', Number(row?.[0] ?? 0)],
      ['spilled', Number(row?.[1] ?? 0)],
    ]);
  } catch {
    return new Map();
  }
}

/** `cancelled`, or the code of the error table by which an attempt failed. */
function outcomeOf(error: unknown): string {
  if (error instanceof Error && error.name === 'CancelledFailure') return 'cancelled';
  return error instanceof Error && 'type' in error && typeof error.type === 'string' ? error.type : 'failed';
}
