import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { IngestBatch, IngestCounts, IngestResult, IngestRunInput } from '../../activities/ingest-contract.js';
import { isCancelled, throwIfCancelled } from '../cancellation.js';
import { ownInput } from '../own-input.js';
import { asFailure, failureOf } from '../run-outcome.js';
import { turns } from '../turns.js';
import { writing } from './ingest-policies.js';
import { batchChanged, countsOf, type IngestReport, ingestReport, recordsWritten, stepBegan } from './ingest-report.js';
import { CHANGE_BATCH, changeBatch, drain, pause, resume, status } from './ingest-signals.js';

/** Attempts of one workflow execution: at most some ten events each, with what was said in between. */
const ATTEMPTS_PER_EXECUTION = 100;

/**
 * Has a sink follow its source for as long as nobody drains or cancels it. One activity runs the sink; it is begun anew after a pause, with other batch settings,
 * after a day, and where its worker has gone. Each attempt claims the sink, so that an earlier one that still runs somewhere can commit nothing more, and takes
 * its positions from the table: nothing of them is kept here.
 *
 * The input is one JSON object, for example `{"table": "iot.uplinks", "source": {"kind": "files", "files": ["/var/log/uplinks.ndjson"]}}`. A topic of Kafka is
 * `{"kind": "kafka", "cluster": "prod", "topic": "uplinks"}`: the worker's configuration knows the cluster.
 */
export async function ingest(input: IngestRunInput): Promise<IngestResult> {
  return await new Ingest(input).run();
}

class Ingest {
  /** As it came from outside. */
  readonly #request: unknown;
  readonly #report: IngestReport;
  #batch: IngestBatch;
  #isPaused: boolean;
  #isDraining: boolean;
  /** The attempt that follows the source. */
  #following: CancellationScope | undefined;

  constructor(input: IngestRunInput) {
    // Whoever starts it by hand cannot carry anything.
    const isLater = workflowInfo().continuedFromExecutionRunId !== undefined;
    const { carried, ...later } = isLater ? input : { carried: undefined };
    this.#request = isLater ? later : ownInput(input);
    this.#report = ingestReport(this.#request, carried);
    this.#batch = carried?.batch ?? {};
    this.#isPaused = carried?.isPaused ?? false;
    this.#isDraining = carried?.isDraining ?? false;
    this.#listen();
  }

  #listen(): void {
    setHandler(status, () => this.#report.state.progress, {
      description: 'What was committed, and how batches are made.',
    });
    const say = (change: () => void) => () => {
      change();
      this.#following?.cancel();
    };
    setHandler(
      pause.signal,
      say(() => (this.#isPaused = true)),
      { description: pause.description },
    );
    setHandler(resume.signal, () => void (this.#isPaused = false), { description: resume.description });
    setHandler(
      drain.signal,
      say(() => (this.#isDraining = true)),
      { description: drain.description },
    );
    setHandler(
      changeBatch,
      (batch) => {
        this.#batch = { ...this.#batch, ...batch };
        this.#report.save(batchChanged(this.#batch));
        this.#following?.cancel();
        const { batchSize, batchIntervalMs } = this.#report.state.progress;
        return { batchSize, batchIntervalMs };
      },
      CHANGE_BATCH,
    );
  }

  async run(): Promise<IngestResult> {
    for (const turn of turns()) {
      throwIfCancelled();
      if (turn > 0 && this.#isLong(turn)) await this.#goOn();
      if (this.#isDraining) break;
      if (this.#isPaused) await this.#wait();
      else await this.#follow();
    }
    this.#report.save(stepBegan('draining'));
    this.#report.save(recordsWritten(await this.#write('ends', 'Write what the source has')));
    const { table } = this.#report.state.progress;
    return this.#report.done(({ progress }, workflowId) => ({
      ...{ table, workflowId, delivery: 'exactly-once' },
      ...countsOf(progress),
    }));
  }

  async #wait(): Promise<void> {
    this.#report.save(stepBegan('paused'));
    await condition(() => !this.#isPaused || this.#isDraining || workflowInfo().continueAsNewSuggested);
  }

  async #follow(): Promise<void> {
    this.#report.save(stepBegan('running'));
    const scope = new CancellationScope();
    this.#following = scope;
    try {
      this.#report.save(recordsWritten(await scope.run(() => this.#write('stopped', 'Follow the source'))));
    } catch (error) {
      // What such an attempt had read and not committed is read again.
      if (!isCancellation(error) || isCancelled()) throw error;
    } finally {
      this.#following = undefined;
    }
  }

  async #write(until: 'stopped' | 'ends', summary: string): Promise<IngestCounts> {
    try {
      const step = { request: this.#request, batch: this.#batch, until };
      return await writing.writeRecords.executeWithOptions({ summary }, [step]);
    } catch (error) {
      throw isCancellation(error) ? error : asFailure(failureOf(error));
    }
  }

  #isLong(turn: number): boolean {
    return turn >= ATTEMPTS_PER_EXECUTION || workflowInfo().continueAsNewSuggested;
  }

  async #goOn(): Promise<never> {
    await condition(allHandlersFinished);
    const carried = {
      ...{ isPaused: this.#isPaused, isDraining: this.#isDraining, batch: this.#batch },
      counts: countsOf(this.#report.state.progress),
    };
    return await continueAsNew<typeof ingest>({ ...(this.#request as IngestRunInput), carried });
  }
}
