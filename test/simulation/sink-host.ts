/** Hosts of sinks: they read a source and write it through the real `IcebergSink`; what they keep in mind dies with them, but for their checkpoints. */
import { isMoraineError } from '../../errors/index.js';
import { IcebergSink, type SinkCommit, type SinkSnapshot, type WriterSnapshot } from '../../sink/index.js';
import { withPlanted } from './sink-bugs.js';
import { recordsOf, simulatedEngine } from './sink-engine.js';
import type { SinkOracle } from './sink-oracle.js';
import { isRow, type SourceRecord } from './sink-records.js';
import { type Client, DEAD_LETTERS, IDENTIFIER, type Role, readDeadLetters, type World } from './world.js';

/** Partitions of every source. */
export const SOURCE_PARTITIONS = ['p0', 'p1'];
/** Records of each partition. */
export const SOURCE_END = 10;

/** Files of an older checkpoint may have been swept. */
const FRESH_MS = 30_000;
/** How often a host that another one has fenced comes back. */
const MAX_FENCINGS = 2;
const TRIES = 3;
/** Ids of rows tell sinks, partitions and offsets apart; those of foreign writers are below. */
const SINK_IDS = 1_000_000_000;
const PARTITION_IDS = 1_000_000;

interface Checkpoint {
  /** That of the sink, or those of its writers. */
  readonly states: readonly (SinkSnapshot | WriterSnapshot)[];
  readonly takenMs: number;
}

/** What is so in every life of a job's hosts. */
interface JobTraits {
  readonly name: string;
  /** Tells the rows of jobs apart. */
  readonly number: number;
  /** Whether records that are no rows are dead letters. */
  readonly hasLetters: boolean;
  /** Whether hosts go on from what they were told, wherever the table stands. */
  readonly keepsOffsets: boolean;
}

/** One process's time with an open sink. */
interface Life {
  /** It gives a checkpoint back or reads again what it has read: positions may not fit. */
  isBehind: boolean;
  /** Since when files are staged that are not committed. */
  stagedMs?: number | undefined;
}

/** What the hosts of one sink share: the source, and the store of checkpoints. */
export class SinkJob {
  readonly name: string;
  readonly #world: World;
  readonly #oracle: SinkOracle;
  readonly #number: number;
  readonly #hasLetters: boolean;
  readonly #keepsOffsets: boolean;
  /** What the hosts were told last, by partition, if they keep it. */
  readonly #told = new Map<string, number>();
  readonly #checkpoints: Checkpoint[] = [];
  #loose = 0;

  constructor(world: World, oracle: SinkOracle, { name, number, hasLetters, keepsOffsets }: JobTraits) {
    this.#world = world;
    this.#oracle = oracle;
    this.name = name;
    this.#number = number;
    this.#hasLetters = hasLetters;
    this.#keepsOffsets = keepsOffsets;
  }

  /** Writes the whole source, from wherever the table stands; gives up once others have fenced it a few times. */
  host(): Role {
    return async (client) => {
      const { clock } = client.worker;
      for (let fencings = 0; fencings <= MAX_FENCINGS; ) {
        const life: Life = { isBehind: false };
        try {
          if (await this.#live(client, life)) return;
        } catch (error) {
          if (isMoraineError(error, 'SINK_FENCED')) fencings += 1;
          else this.#requirePassing(error, life);
        }
        await clock.sleep(client.random.int(0, 2_000 * (fencings + 1)));
      }
    };
  }

  /** Writes what is left, without faults. */
  finisher(): Role {
    return async (client) => {
      const sink = await this.#open(client);
      const next = this.#positions(sink);
      while (this.#isLeft(next)) {
        await this.#write(client, sink, next);
        await sink.flush();
      }
      await sink.close();
      if (this.#hasLetters) this.#oracle.letters.check(await readDeadLetters(await client.load(DEAD_LETTERS)));
      this.#oracle.requireComplete(this.name, SOURCE_PARTITIONS, SOURCE_END, this.#hasLetters);
    };
  }

  #requirePassing(error: unknown, { isBehind }: Life): void {
    if (!isMoraineError(error)) throw error;
    const wasRolledBack = this.#oracle.rollbacks > 0;
    const isMismatch = error.code === 'SINK_POSITION_MISMATCH' && (isBehind || wasRolledBack);
    // Files of a snapshot that was rolled back go with it.
    const isExpired = error.code === 'FILE_NOT_FOUND' && isBehind && wasRolledBack;
    // The history of a batch without positions may be gone.
    const isUnknown = error.code === 'SINK_POSITION_UNKNOWN' && isBehind;
    if (isMismatch) this.#told.clear();
    if (!error.retryable && !isMismatch && !isExpired && !isUnknown) throw error;
  }

  async #open(client: Client, batchSize = Infinity): Promise<IcebergSink> {
    const engine = simulatedEngine(this.#oracle);
    const numPartitions = client.random.int(1, 3);
    const options = { table: IDENTIFIER, name: this.name, batchSize, batchIntervalMs: Infinity, numPartitions };
    const deadLetters = this.#hasLetters ? { deadLetters: DEAD_LETTERS } : {};
    const deps = { catalog: withPlanted(client.catalog), io: client.io, engine };
    return await IcebergSink.open(deps, { ...options, ...deadLetters });
  }

  /** @returns false: it has kept files for too long, and begins anew */
  async #live(client: Client, life: Life): Promise<boolean> {
    const { random, worker } = client;
    const sink = await this.#open(client, random.chance(0.2) ? 4 : Infinity);
    await this.#restore(client, sink, life);
    const next = this.#positions(sink);
    for (const [partition, told] of this.#told) {
      if (told < (next.get(partition) ?? 0)) life.isBehind = true;
      next.set(partition, told);
    }
    if (random.chance(0.2)) {
      life.isBehind = true;
      for (const [partition, position] of next) next.set(partition, Math.max(0, position - random.int(0, 3)));
    }
    while (this.#isLeft(next)) {
      await this.#write(client, sink, next);
      await worker.clock.sleep(random.int(0, random.chance(0.1) ? 15_000 : 800));
      if (this.#world.scheduler.nowMs > (life.stagedMs ?? Infinity) + FRESH_MS) return false;
      await this.#settle(client, sink, life);
    }
    await this.#committed(client, () => sink.flush());
    await sink.close();
    return true;
  }

  #positions(sink: IcebergSink): Map<string, number> {
    return new Map(SOURCE_PARTITIONS.map((partition) => [partition, Number(sink.positions.get(partition) ?? 0n)]));
  }

  #isLeft(next: ReadonlyMap<string, number>): boolean {
    return [...next.values()].some((position) => position < SOURCE_END);
  }

  /** Gives the sink one of the last checkpoints, now and then twice. */
  async #restore(client: Client, sink: IcebergSink, life: Life): Promise<void> {
    const { random } = client;
    const fresh = this.#checkpoints.slice(-3).filter(({ takenMs }) => this.#world.scheduler.nowMs < takenMs + FRESH_MS);
    if (fresh.length === 0 || !random.chance(0.7)) return;
    const { states } = random.pick(fresh);
    life.isBehind = true;
    for (let times = random.chance(0.2) ? 2 : 1; times > 0; times--) await this.#giveBack(client, sink, states);
    life.isBehind = false;
  }

  /** All at once, or that of each writer through any of the writers that there are now. */
  async #giveBack(client: Client, sink: IcebergSink, states: Checkpoint['states']): Promise<void> {
    const { random } = client;
    const ofWriters = states.flatMap((state) => ('writer' in state ? state : []));
    if (ofWriters.length === 0 || random.chance(0.3)) {
      await this.#committed(client, () => sink.restore(states));
      return;
    }
    for (const state of random.shuffle(ofWriters))
      await this.#committed(client, () => random.pick(sink.writers).restore(state));
  }

  /** A few records of each partition, and now and then one without a position, each through a writer of its own if there are enough. */
  async #write({ random }: Client, sink: IcebergSink, next: Map<string, number>): Promise<void> {
    const writes = SOURCE_PARTITIONS.map(async (partition, number) => {
      const from = next.get(partition) ?? 0;
      // What is read again was cut in other places before.
      const isAgain = BigInt(from) < (sink.positions.get(partition) ?? 0n);
      const to = Math.min(SOURCE_END, from + (isAgain ? 1 : random.int(0, 3)));
      // An empty range says that there was nothing.
      if (to === from && random.chance(0.5)) return;
      const range = { partition, from: BigInt(from), to: BigInt(to) };
      const writer = sink.writer(number % sink.writers.length);
      await writer.writeBatch(recordsOf(this.#records(number, from, to)), range);
      next.set(partition, to);
    });
    if (random.chance(0.3)) writes.push(this.#writeLoose(sink));
    await Promise.all(writes);
  }

  async #writeLoose(sink: IcebergSink): Promise<void> {
    this.#loose += 1;
    const row = isRow(this.#loose) ? this.#row(SOURCE_PARTITIONS.length, this.#loose) : null;
    await sink.writer(0).writeBatch(recordsOf([{ partition: null, offset: this.#loose, row }]));
  }

  #records(number: number, from: number, to: number): readonly SourceRecord[] {
    return Array.from({ length: to - from }, (_, index) => {
      const offset = from + index;
      const row = isRow(offset) ? this.#row(number, offset) : null;
      return { partition: SOURCE_PARTITIONS[number] ?? '', offset, row };
    });
  }

  #row(partition: number, offset: number) {
    const id = SINK_IDS * (this.#number + 1) + PARTITION_IDS * partition + offset;
    return { id, k: offset % 6, p: offset % 2 };
  }

  /** Commits, or takes a checkpoint and commits it, or leaves that for later. */
  async #settle(client: Client, sink: IcebergSink, life: Life): Promise<void> {
    const { random, worker } = client;
    const way = random.weighted([
      [4, 'flush'],
      [3, 'checkpoint'],
      [2, 'both at once'],
      [2, 'later'],
      [1, 'half a checkpoint'],
    ] as const);
    if (way === 'later') return;
    if (way === 'half a checkpoint') {
      life.stagedMs ??= this.#world.scheduler.nowMs;
      const writer = random.pick(sink.writers);
      await this.#again(client, () => writer.snapshot());
      return;
    }
    if (way === 'flush') await this.#committed(client, () => sink.flush());
    if (way === 'both at once')
      await Promise.all([this.#committed(client, () => sink.flush()), this.#checkpoint(client, sink)]);
    if (way === 'checkpoint') {
      life.stagedMs ??= this.#world.scheduler.nowMs;
      const states = await this.#checkpoint(client, sink);
      if (random.chance(0.2)) return;
      await worker.clock.sleep(random.int(0, 2_000));
      await this.#committed(client, () => sink.commit(states));
    }
    life.stagedMs = undefined;
  }

  /** That of the sink, or those of its writers, one after the other. */
  async #checkpoint(client: Client, sink: IcebergSink): Promise<Checkpoint['states']> {
    const { random, worker } = client;
    const snapshots: (SinkSnapshot | WriterSnapshot)[] = [];
    if (random.chance(0.5)) snapshots.push(await this.#again(client, () => sink.snapshot()));
    else
      for (const writer of random.shuffle(sink.writers)) {
        snapshots.push(await this.#again(client, () => writer.snapshot()));
        await worker.clock.sleep(random.int(0, 500));
      }
    const states = JSON.parse(JSON.stringify(snapshots)) as typeof snapshots;
    this.#checkpoints.push({ states, takenMs: this.#world.scheduler.nowMs });
    return states;
  }

  async #committed(client: Client, commit: () => Promise<SinkCommit | null>): Promise<void> {
    const committed = await this.#again(client, commit);
    if (committed === null) return;
    this.#oracle.acknowledge(this.name, committed);
    if (!this.#keepsOffsets) return;
    for (const [partition, next] of committed.positions) this.#told.set(partition, Number(next));
  }

  /** With the same sink after errors that may come right. */
  async #again<T>({ worker, random }: Client, work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        if (!isMoraineError(error) || !error.retryable || tries === TRIES) throw error;
        await worker.clock.sleep(random.int(0, 1_000));
      }
    }
  }
}
