/** A whole simulation from one seed. */
import { isMoraineError } from '../../errors/index.js';
import type { ArrivedDeletes } from '../../tables/index.js';
import { compactor, expirer, reader, rollbacker, sweeper, tagger } from './maintainers.js';
import type { StorageTraits } from './memory-file-io.js';
import { Violation } from './model.js';
import { World } from './world.js';
import { type WriterBugs, writer, writerJobs } from './writer.js';

/** A safeguard that is taken away. */
export interface Bugs extends WriterBugs {
  readonly skipsDeletesOnRewrite?: boolean;
  readonly skipsRemovedFilesOnRewrite?: boolean;
  readonly ignoresLeases?: boolean;
  readonly tagsWithoutFences?: boolean;
  readonly sweepsByLists?: boolean;
}

export interface Outcome {
  readonly trace: readonly string[];
  readonly snapshots: number;
  readonly acknowledgedRuns: number;
  readonly steps: number;
}

/**
 * @param traits of the storage, in place of those of the seed
 * @throws Violation when the table is not what the oracle says, with the seed in its message
 */
export async function simulate(seed: number, bugs: Bugs = {}, traits: StorageTraits = {}): Promise<Outcome> {
  const world = new World(seed, traits);
  const { random } = world;
  await world.create();
  for (const name of ['a', 'b'].slice(0, random.int(1, 2))) {
    world.employ(`writer-${name}`, writer(world, writerJobs(world, name, random.int(2, 5)), bugs));
  }
  if (random.chance(0.7)) world.employ('compactor', compactor(random.int(1, 4), leftBehind(bugs)));
  if (random.chance(0.5)) world.employ('expirer', expirer(random.int(1, 2)));
  if (random.chance(0.4)) world.employ('sweeper', sweeper(world, random.int(1, 3), bugs));
  if (random.chance(0.2))
    world.employ(
      'rollbacker',
      rollbacker(() => world.model.history(), 1),
    );
  if (random.chance(0.6)) world.employ('reader', reader(world, random.int(1, 2)));
  if (random.chance(0.15)) {
    world.employ('second-expirer', expirer(random.int(2, 6)));
    for (const name of ['x', 'y']) world.employ(`tagger-${name}`, tagger(random.int(4, 12), bugs.tagsWithoutFences));
  }
  try {
    await world.run();
  } catch (error) {
    throw asViolation(error);
  }
  const { trace, steps } = world.scheduler;
  return { trace, steps, snapshots: world.model.snapshots, acknowledgedRuns: world.model.acknowledgedRuns };
}

/** The deletes that the bugs make a rewrite forget. */
function leftBehind({ skipsDeletesOnRewrite = false, skipsRemovedFilesOnRewrite = false }: Bugs) {
  return ({ deletes }: ArrivedDeletes): boolean =>
    deletes === 'every-row' ? skipsRemovedFilesOnRewrite : skipsDeletesOnRewrite;
}

/** A live file that is not there breaks the promise, too. Everything else is an error of the simulation itself. */
export function asViolation(error: unknown): unknown {
  return isMoraineError(error) ? new Violation(`${error.code}: ${error.message}`, { cause: error }) : error;
}
