/** Writes of many clients to online tables: those for one view that arrive within a short time are one commit. */
import type { IdempotencyKey, Table } from '../tables/index.js';
import type { BatchRows } from './batch-rows.js';
import { GroupCommits, type RequestSize } from './group-commits.js';
import { doShared, notePart } from './shared-work.js';
import { MAX_FEW_ROWS } from './small-writes.js';
import { type BatchOutcome, type OnlineWriteResult, writeOnlineGroup } from './write-group.js';
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

/** Those who want to know of commits. */
export interface WriterListener {
  /** A commit has landed, or was found to have landed before. Its requests are answered when this ends; it never rejects. */
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

  /** @param groupCommitMs milliseconds that the first write of a group waits for others */
  constructor(deps: OnlineWriteDeps, groupCommitMs: number, listener: WriterListener) {
    this.#groups = new GroupCommits(groupCommitMs, {
      // More would be a file for each bucket, and those who come meanwhile a larger group still.
      maxRows: MAX_FEW_ROWS,
      isAlike: (first, batch) => first.pushed === batch.pushed,
      commit: async (view, batches) => {
        const [{ pushed } = { pushed: true }] = batches;
        try {
          const attributes = { 'moraine.view': view, 'moraine.group.writes': batches.length };
          const { outcomes, table } = await doShared({ name: 'group commit', attributes, parts: batches }, () =>
            writeOnlineGroup(deps, { view, pushed, batches }),
          );
          listener.grouped(batches.length, outcomes.some(isCommitted) ? 'committed' : 'nothing');
          return table === null ? { outcomes } : { outcomes, answerable: listener.committed(view, table) };
        } catch (error) {
          listener.grouped(batches.length, 'failed');
          throw error;
        }
      },
    });
  }

  /**
   * Writes a batch, with those of others, and waits for the commit. Rows that tie win in the order that their batches arrived in. A row without a created time gets
   * the time of its arrival if the view has such a column.
   * @throws IDEMPOTENCY_KEY_REUSED if another batch was written under the key; as `writeOnlineBatch`
   */
  async write(view: string, batch: ClientBatch, size: RequestSize): Promise<OnlineWriteResult> {
    const timed = { ...batch, nowUs: batch.nowUs ?? BigInt(Date.now()) * 1000n };
    notePart(timed);
    return await this.#groups.add(view, timed, size);
  }

  /** Waits until nothing is under way any more. */
  async idle(): Promise<void> {
    await this.#groups.idle();
  }
}

function isCommitted(outcome: BatchOutcome): boolean {
  return 'result' in outcome && outcome.result.outcome === 'committed';
}
