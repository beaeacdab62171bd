/** A whole simulation of sinks from one seed: hosts, foreign writers and those who keep the table in shape. */
import { ancestors, currentSnapshot, type TableMetadata } from '../../iceberg/index.js';
import { ensureDeadLetterTable } from '../../sink/dead-letters/dead-letter-table.js';
import { sinkStateOf } from '../../sink/protocol/find-state.js';
import { Random } from '../worlds/random.js';
import { compactor, expirer, reader, rollbacker, sweeper } from './maintainers.js';
import { Violation } from './model.js';
import { asViolation } from './simulate.js';
import { plant, type SinkBugs } from './sink-bugs.js';
import { SinkJob } from './sink-host.js';
import { SinkOracle } from './sink-oracle.js';
import { DEAD_LETTERS, readDeadLetters, readSnapshot, World } from './world.js';
import { writer, writerJobs } from './writer.js';

export interface SinkOutcome {
  readonly trace: readonly string[];
  readonly steps: number;
  readonly snapshots: number;
  readonly batches: number;
  readonly rollbacks: number;
  readonly letters: number;
}

/** Of all worlds those in which records that are no rows are dead letters. */
const SHARE_WITH_LETTERS = 0.3;
/** Those in which hosts keep offsets of their own. */
const SHARE_WITH_OFFSETS = 0.3;

/** A sink reads older metadata files where snapshots have expired, and an anchor of the expiry was overwritten by a commit that was under way: as many as usual. */
const PROPERTIES = new Map([['write.metadata.previous-versions-max', '100']]);

/** @throws Violation when the table is not what the oracle says */
export async function simulateSinks(seed: number, bugs: SinkBugs = {}): Promise<SinkOutcome> {
  const world = new World(seed);
  const { model, random, scheduler } = world;
  const oracle = new SinkOracle(model.violations);
  model.watcher = oracle;
  await world.create(PROPERTIES);
  const names = random.chance(0.25) ? ['s', 't'] : ['s'];
  const hasLetters = await provideLetters(world, oracle, seed);
  const keepsOffsets = new Random(`offsets of ${seed}`).chance(SHARE_WITH_OFFSETS);
  const jobs = names.map((name, number) => new SinkJob(world, oracle, { name, number, hasLetters, keepsOffsets }));
  watch(world, oracle, names);
  for (const job of jobs) {
    world.employ(`host-${job.name}`, job.host());
    if (random.chance(0.5)) world.employ(`second-host-${job.name}`, job.host());
  }
  if (random.chance(0.6)) world.employ('writer-a', writer(world, writerJobs(world, 'a', random.int(1, 3), ['append'])));
  if (random.chance(0.4)) world.employ('compactor', compactor(random.int(1, 3)));
  if (random.chance(0.5)) world.employ('expirer', expirer(random.int(1, 3)));
  if (random.chance(0.3)) world.employ('sweeper', sweeper(world, random.int(1, 2)));
  if (random.chance(0.5))
    world.employ(
      'rollbacker',
      rollbacker(() => model.history(), random.int(1, 6)),
    );
  if (random.chance(0.2)) world.employ('reader', reader(world, 1));
  plant(bugs);
  try {
    await world.run(async (client) => {
      for (const job of jobs) await job.finisher()(client);
    });
  } catch (error) {
    const [first] = model.violations;
    throw first === undefined ? asViolation(error) : new Violation(first, { cause: error });
  } finally {
    plant({});
  }
  const { trace, steps } = scheduler;
  const { batches, rollbacks, letters } = oracle;
  return { trace, steps, snapshots: model.snapshots, batches, rollbacks, letters: letters.count };
}

const idsOf = (metadata: TableMetadata): readonly bigint[] => {
  const { currentSnapshotId: current } = metadata;
  return current === null ? [] : [...ancestors(metadata, current)].map(({ snapshotId }) => snapshotId);
};

/** A table of dead letters, which the hosts create themselves in some worlds, and its maintenance. @returns whether this world has one */
async function provideLetters(world: World, oracle: SinkOracle, seed: number): Promise<boolean> {
  const random = new Random(`letters of ${seed}`);
  if (!random.chance(SHARE_WITH_LETTERS)) return false;
  world.onOtherSwap = (metadata) => oracle.letters.onSwap(metadata);
  world.watch(async (table) => oracle.letters.check(await readDeadLetters(table)), DEAD_LETTERS);
  if (random.chance(0.5)) return true;
  await world.prepare(async ({ catalog, io }) => {
    await ensureDeadLetterTable({ catalog, io }, DEAD_LETTERS);
  });
  const isExpired = random.chance(0.5);
  if (isExpired) world.employ('letter-expirer', expirer(random.int(1, 3), DEAD_LETTERS));
  if (random.chance(0.5)) world.employ('letter-sweeper', sweeper(world, random.int(1, 2), {}, DEAD_LETTERS));
  // Dead letters that were rolled back and expired are lost, and the sink stops.
  const ofRollbacks = new Random(`rollbacks of letters of ${seed}`);
  if (!isExpired && ofRollbacks.chance(0.7))
    world.employ('letter-rollbacker', rollbacker(idsOf, ofRollbacks.int(1, 4), DEAD_LETTERS));
  return true;
}

/** After every commit: the rows of the files, and what the sink itself finds. */
function watch(world: World, oracle: SinkOracle, names: readonly string[]): void {
  world.watch(async (table) => {
    const snapshot = currentSnapshot(table.metadata);
    if (snapshot === null) return;
    const { snapshotId } = snapshot;
    world.model.check(snapshotId, await readSnapshot(table, snapshotId));
    for (const name of names) oracle.compare(snapshotId, name, (await sinkStateOf(table, name)).state);
  });
}
