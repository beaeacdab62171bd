/** Tells a group's coordinator how far the table is, so that tools show the lag. Nothing reads it, and a failure stops nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { ClusterConnections } from './cluster-connections.js';
import type { KafkaAccess } from './kafka-access.js';
import { hasKafkaError } from './kafka-errors.js';
import type { KafkaPosition } from './kafka-position.js';

const GROUP_KEY = 0;
/** Generation of a commit without membership. */
const NO_MEMBER = -1;
/** A connection that nothing was asked on for long may have been closed. */
const TRIES = 2;
/** The first commit of a cluster waits until it has made its topic of offsets. */
const LAST_MS = 5_000;
const RETRY_MS = 250;
/** Time after which offsets that were not taken are told again, also if no others come. */
const AGAIN_MS = 5_000;
/** What a coordinator answers to a commit without membership while the group has members, or gets them. */
const OF_MEMBERS = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS'] as const;

/** The group whose offsets are told. */
export interface ToldGroup {
  readonly name: string;
  readonly topic: string;
  /** Told once when members of the group keep its offsets from following, and again if they do after they had left. */
  readonly onNotice: (text: string) => void;
}

export class GroupOffsets {
  readonly #connections: ClusterConnections;
  /** Aborted once it is closed: what is under way then is given up, and nothing is begun any more. */
  readonly #closed: AbortController;
  readonly #group: ToldGroup;
  #wanted: ReadonlyMap<number, KafkaPosition> | null = null;
  #work: Promise<void> | undefined;
  #failure: unknown;
  #failedMs = 0;
  #isRefused = false;

  private constructor(connections: ClusterConnections, closed: AbortController, group: ToldGroup) {
    this.#connections = connections;
    this.#closed = closed;
    this.#group = group;
  }

  /** Connects to nobody yet. */
  static async open(access: KafkaAccess, group: ToldGroup): Promise<GroupOffsets> {
    const closed = new AbortController();
    return new GroupOffsets(await ClusterConnections.open(access, closed.signal), closed, group);
  }

  /** Tells the offsets in the background; of those that come meanwhile the last. */
  tell(positions: ReadonlyMap<number, KafkaPosition>): void {
    this.#wanted = positions;
    this.#work ??= this.#send().finally(() => {
      this.#work = undefined;
    });
  }

  /** Tells offsets again that were not taken, once in a while: members of the group may have left, and brokers come back. */
  tellAgain(): void {
    if (this.#wanted !== null && performance.now() - this.#failedMs >= AGAIN_MS) this.tell(this.#wanted);
  }

  /** Tells what is left to tell, for at most five seconds, and closes. @returns why the last offsets could not be told; null: they were */
  async close(): Promise<string | null> {
    const late = new AbortController();
    const tooLate = sleep(LAST_MS, undefined, { signal: late.signal }).catch(() => undefined);
    const endsAt = performance.now() + LAST_MS;
    if (this.#wanted !== null) this.tell(this.#wanted);
    for (;;) {
      await Promise.race([this.#work, tooLate]);
      const mayComeRight = isMoraineError(this.#failure, 'KAFKA_UNAVAILABLE') && performance.now() < endsAt;
      if (this.#wanted === null || !mayComeRight) break;
      await sleep(RETRY_MS);
      this.tell(this.#wanted);
    }
    late.abort();
    this.#closed.abort();
    this.#connections.reset();
    if (this.#wanted === null) return null;
    return this.#failure instanceof Error ? this.#failure.message : 'No answer came.';
  }

  async #send(): Promise<void> {
    for (let failures = 0; this.#wanted !== null && failures < TRIES && !this.#closed.signal.aborted; ) {
      const positions = this.#wanted;
      try {
        await this.#commit(positions);
        this.#isRefused = false;
        if (this.#wanted === positions) this.#wanted = null;
      } catch (error) {
        if (this.#closed.signal.aborted) return;
        this.#failure = error;
        this.#failedMs = performance.now();
        if (isMoraineError(error, 'INVALID_ARGUMENT')) {
          if (!this.#isRefused) this.#group.onNotice(`The offsets of the group wait: ${error.message}`);
          this.#isRefused = true;
          return;
        }
        this.#connections.reset();
        failures += 1;
      }
    }
  }

  /** @throws MoraineError `INVALID_ARGUMENT`: the group has members; as {@link ClusterConnections.ask} */
  async #commit(positions: ReadonlyMap<number, KafkaPosition>): Promise<void> {
    const { name, topic } = this.#group;
    const { coordinators } = await this.#connections.askAny(
      'the coordinator of the group',
      (connection, { findCoordinatorV4 }) => findCoordinatorV4.api.async(connection, GROUP_KEY, [name]),
    );
    const [coordinator] = coordinators;
    if (coordinator === undefined) return;
    const { nodeId, host, port } = coordinator;
    this.#connections.learn(new Map([[nodeId, { host, port }]]));
    const partitions = [...positions].map(([partitionIndex, { offset, leaderEpoch }]) => ({
      ...{ partitionIndex, committedOffset: offset, committedLeaderEpoch: leaderEpoch, committedMetadata: null },
    }));
    const topics = [{ name: topic, partitions }];
    try {
      await this.#connections.ask(nodeId, 'the offsets of the group', (connection, { offsetCommitV8 }) =>
        offsetCommitV8.api.async(connection, name, NO_MEMBER, '', null, topics),
      );
    } catch (error) {
      if (!OF_MEMBERS.some((id) => hasKafkaError(error, id))) throw error;
      const message = `The group ${JSON.stringify(name)} has members, and nobody else may commit its offsets.`;
      throw new MoraineError('INVALID_ARGUMENT', `${message} Give the sink a group that no consumer joins.`, {
        cause: error,
      });
    }
  }
}
