/** Signals and updates of an ingest, by the names that people see in the web UI. */
import { ApplicationFailure, defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { IngestBatch, IngestStatus } from '../../activities/ingest-contract.js';
import type { DescribedSignal } from '../forward-signals.js';

export const pause = {
  signal: defineSignal('pause'),
  description: 'Commits what was read and reads no more.',
} satisfies DescribedSignal;

export const resume = {
  signal: defineSignal('resume'),
  description: 'Goes on after a pause, from where the table has the records.',
} satisfies DescribedSignal;

export const drain = {
  signal: defineSignal('drain'),
  description: 'Writes what the source has now, and ends.',
} satisfies DescribedSignal;

/** Returns the settings that hold from now on. */
export const changeBatch = defineUpdate<Required<IngestBatch>, [IngestBatch]>('changeBatch');

export const status = defineQuery<IngestStatus>('status');

const [MAX_SIZE, MAX_INTERVAL_MS] = [10_000_000, 3_600_000];

const isWhole = (value: unknown, most: number): boolean =>
  value === undefined || (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most);

export const CHANGE_BATCH = {
  description: `When batches are committed from now on: {"batchSize": records, "batchIntervalMs": milliseconds}, or one of them.`,
  validator: (batch: unknown): void => {
    const { batchSize, batchIntervalMs, ...others } = (batch ?? {}) as Readonly<Record<string, unknown>>;
    const isSomething = batchSize !== undefined || batchIntervalMs !== undefined;
    const isKnown = Object.keys(others).length === 0;
    if (isSomething && isKnown && isWhole(batchSize, MAX_SIZE) && isWhole(batchIntervalMs, MAX_INTERVAL_MS)) return;
    const message = `a batch has a batchSize from 1 to ${MAX_SIZE}, a batchIntervalMs from 1 to ${MAX_INTERVAL_MS}, or both, not ${JSON.stringify(batch)}`;
    const refusal = ApplicationFailure.create({ message, type: 'INVALID_ARGUMENT', nonRetryable: true });
    // The web UI shows all of it to whoever asked, whom lines of our code do not help.
    refusal.stack = '';
    throw refusal;
  },
};
