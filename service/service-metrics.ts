/** The metrics of the service, in Prometheus' text format. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { OnlineReader, OpenView } from '../online/index.js';
import type { AnswerLog } from './answer-log.js';
import type { OfflineProcesses } from './offline-processes.js';
import type { WriteRoom } from './write-room.js';

/** Answers take from a tenth of a millisecond to seconds. */
const DURATION_BUCKETS_S = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10];

/** Requests that one commit may have. */
const GROUP_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

const MS_PER_S = 1_000;

export class ServiceMetrics {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #duration: Histogram<'path' | 'status'>;
  readonly #entities: Counter;
  readonly #groups: Histogram<'outcome'>;

  constructor(reader: OnlineReader) {
    const registers = [this.#registry];
    this.contentType = this.#registry.contentType;
    collectDefaultMetrics({ register: this.#registry });
    this.#duration = new Histogram({
      name: 'moraine_http_request_duration_seconds',
      help: 'Time from a request to its answer.',
      labelNames: ['path', 'status'],
      buckets: DURATION_BUCKETS_S,
      registers,
    });
    this.#entities = new Counter({
      name: 'moraine_online_entities_total',
      help: 'Entities of answered online reads.',
      registers,
    });
    this.#groups = new Histogram({
      name: 'moraine_write_group_requests',
      help: 'Write requests that were done together; committed ones were one commit.',
      labelNames: ['outcome'],
      buckets: GROUP_BUCKETS,
      registers,
    });
    this.#gauge(
      'moraine_read_queue_requests',
      'Online reads that wait for the catalog, for files or for their turn.',
      () => reader.waitingReads,
    );
    this.#observeCache(reader);
    this.#observeViews(reader);
  }

  grouped(requests: number, outcome: 'committed' | 'nothing' | 'failed'): void {
    this.#groups.observe({ outcome }, requests);
  }

  observeWrites(room: WriteRoom): void {
    this.#gauge('moraine_write_queue_requests', 'Writes that are not answered yet.', () => room.held.requests);
    this.#gauge('moraine_write_queue_bytes', 'Bytes of their bodies.', () => room.held.bytes);
  }

  /** Work in other processes. More than the limit is refused, so none waits. */
  observeProcesses(name: 'retrievals' | 'batches', processes: OfflineProcesses): void {
    this.#gauge(`moraine_${name}_running`, `Processes that do ${name}.`, () => processes.running);
    this.#gauge(`moraine_${name}_limit`, 'Of them, at most.', () => processes.limit);
  }

  observeAnswerLog(log: AnswerLog): void {
    const registers = [this.#registry];
    const rows: Counter<'service' | 'outcome'> = new Counter({
      name: 'moraine_feature_log_rows_total',
      help: 'Rows of served features that are in the log, that found its buffer full, and that can never be written.',
      labelNames: ['service', 'outcome'],
      registers,
      collect: () => {
        rows.reset();
        for (const [service, { written, dropped, failed }] of log.stats)
          for (const [outcome, count] of Object.entries({ written, dropped, failed }))
            rows.inc({ service, outcome }, count);
      },
    });
    const waiting: Gauge<'service'> = new Gauge({
      name: 'moraine_feature_log_buffered_rows',
      help: 'Rows of served features that wait to be written.',
      labelNames: ['service'],
      registers,
      collect: () => {
        for (const [service, { buffered }] of log.stats) waiting.set({ service }, buffered);
      },
    });
  }

  answered(path: string, status: number, seconds: number): void {
    this.#duration.observe({ path, status }, seconds);
  }

  read(entities: number): void {
    this.#entities.inc(entities);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauge(name: string, help: string, read: () => number): void {
    const made: Gauge = new Gauge({ name, help, registers: [this.#registry], collect: () => made.set(read()) });
  }

  /** Of the snapshots that are served: nothing is looked at for a scrape. */
  #observeViews(reader: OnlineReader): void {
    const gauge = (name: string, help: string, read: (view: OpenView) => number | null): void => {
      const made: Gauge<'view'> = new Gauge({
        name,
        help,
        labelNames: ['view'],
        registers: [this.#registry],
        collect: () => {
          made.reset();
          for (const view of reader.openViews) {
            const value = read(view);
            if (value !== null) made.set({ view: view.name }, value);
          }
        },
      });
    };
    gauge('moraine_online_view_files', 'Data files of the online table.', ({ files }) => files);
    gauge(
      'moraine_online_view_files_per_read',
      'Files that a read of an absent entity opens: those of its bucket in all hours, on average, and all without a partition.',
      ({ filesPerRead }) => filesPerRead,
    );
    gauge(
      'moraine_online_view_rows_per_entity',
      'Rows for each row of the largest files of the buckets; with hours, of their oldest commits.',
      ({ rowsPerEntity }) => rowsPerEntity,
    );
    gauge('moraine_online_view_age_seconds', 'Time since the last commit that is served.', ({ committedAtMs }) =>
      committedAtMs === null ? null : Math.max(0, (Date.now() - Number(committedAtMs)) / MS_PER_S),
    );
  }

  #observeCache(reader: OnlineReader): void {
    this.#gauge('moraine_online_cache_bytes', 'Memory of decoded rows.', () => reader.cacheStats.bytes);
    this.#gauge('moraine_online_cache_parts', 'Decoded parts of buckets.', () => reader.cacheStats.parts);
    const count = (name: string, help: string, read: () => number): void => {
      const made: Counter = new Counter({
        name,
        help,
        registers: [this.#registry],
        collect: () => {
          made.reset();
          made.inc(read());
        },
      });
    };
    count(
      'moraine_online_cache_hits_total',
      'Parts that were decoded when a read looked for them; a read may look for several.',
      () => reader.cacheStats.hits,
    );
    count(
      'moraine_online_cache_misses_total',
      'Parts that were not decoded when a read looked for them.',
      () => reader.cacheStats.misses,
    );
    count('moraine_online_cache_evictions_total', 'Parts that made room.', () => reader.cacheStats.evictions);
  }
}
