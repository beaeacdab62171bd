/** Writes of many clients to online tables: those for one view that arrive within a short time are one commit. */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { IdempotencyKey, Table } from '../tables/index.js';
import type { BatchRows } from './batch-rows.js';
import { GroupCommits, type GroupLimits } from './group-commits.js';
import { type OnlineWriteResult, writeOnlineGroup } from './write-group.js';
import type { OnlineWriteDeps } from './write-target.js';

/** A batch of a client. */
export interface ClientBatch {
  readonly rows: BatchRows;
  /** As of `OnlineBatch`. */
  readonly pushed: boolean;
  /** A batch under a key is committed once within 24 hours, by whatever process. */
  readonly key?: IdempotencyKey | undefined;
  /** The created time of rows without one, in microseconds since the epoch; the time of the call by default. */
  readonly nowUs?: bigint | undefined;
}

/** A write of a client that waits for its group; sent in its own asynchronous context. */
export const WRITE_CHANNEL = 'moraine:online-write';

/** The commit of a group, traced. */
export const GROUP_CHANNEL = 'moraine:group-commit';

/** A group while it is committed and afterwards. */
export interface GroupEvent {
  readonly view: string;
  /** The writes, each as {@link WRITE_CHANNEL} has sent it. */
  readonly writes: readonly object[];
}

const joined = channel(WRITE_CHANNEL);
const groups = tracingChannel<GroupEvent>(GROUP_CHANNEL);

/** Those who want to know of commits. */
export interface WriterListener {
  /** A commit has landed. Its requests are answered when this ends; it never rejects. */
  committed(view: string, table: Table): Promise<void>;
  /** A group has ended. @param requests in it */
  grouped(requests: number, outcome: 'committed' | 'nothing' | 'failed'): void;
}

interface TimedBatch extends Omit<ClientBatch, 'nowUs'> {
  readonly nowUs: bigint;
}

/** One per process is enough. */
export class OnlineWriter {
  readonly #groups: GroupCommits<TimedBatch, OnlineWriteResult>;

  constructor(deps: OnlineWriteDeps, limits: GroupLimits, listener: WriterListener) {
    this.#groups = new GroupCommits(limits, {
      isAlike: (first, batch) => first.pushed === batch.pushed,
      commit: async (view, batches) => {
        const [{ pushed } = { pushed: true }] = batches;
        try {
          const { outcomes, table } = await groups.tracePromise(
            () => writeOnlineGroup(deps, { view, pushed, batches }),
            { view, writes: batches },
          );
          if (table !== null) await listener.committed(view, table);
          listener.grouped(batches.length, table === null ? 'nothing' : 'committed');
          return outcomes;
        } catch (error) {
          listener.grouped(batches.length, 'failed');
          throw error;
        }
      },
    });
  }

  /** Requests that wait or are under way, and their bytes. */
  get queued(): { readonly requests: number; readonly bytes: number } {
    return this.#groups.queued;
  }

  /**
   * Writes a batch, with those of others, and waits for the commit. Rows that tie win in the order that their batches arrived in. A row without a created time gets
   * the time of its arrival if the view has such a column.
   * @param bytes that the batch takes in memory
   * @throws OVERLOADED if too much waits; IDEMPOTENCY_KEY_REUSED if another batch was written under the key; as `writeOnlineBatch`
   */
  async write(view: string, batch: ClientBatch, bytes: number): Promise<OnlineWriteResult> {
    const timed = { ...batch, nowUs: batch.nowUs ?? BigInt(Date.now()) * 1000n };
    if (joined.hasSubscribers) joined.publish(timed);
    return await this.#groups.add(view, timed, bytes);
  }

  /** Waits until nothing is under way any more. */
  async idle(): Promise<void> {
    await this.#groups.idle();
  }
}
