/**
 * The seeds of a simulation. `MORAINE_SEED=7 npx vitest run test/simulation` runs the worlds of seed 7 alone.
 *
 *   MORAINE_SEED                the first seed (1)
 *   MORAINE_SIMULATION_SEEDS    how many (as many as the test says; with MORAINE_SEED 1)
 *   MORAINE_SIMULATION_MINUTES  goes on with further seeds until so much time has passed
 */
import { numberIn } from '../support/environment.js';
import { Violation } from './model.js';

export const TIME_LIMIT_MS = 600_000;

export const asked = numberIn('MORAINE_SEED', /^-?\d{1,10}$/);
export const first = asked ?? 1;
const askedSeeds = numberIn('MORAINE_SIMULATION_SEEDS', /^[1-9]\d{0,8}$/);
const minutes = numberIn('MORAINE_SIMULATION_MINUTES', /^\d{1,4}(\.\d+)?$/) ?? 0;

/** Of a test that goes through all seeds. */
export const timeLimitMs = TIME_LIMIT_MS + minutes * 60_000;

const countOf = (usual: number): number => askedSeeds ?? (asked === undefined ? usual : 1);

/** Which seeds a test goes through, for its title. */
export const seedsText = (usual: number): string =>
  `${minutes > 0 ? `${minutes} minutes` : `${countOf(usual)} seeds`} from ${first}`;

/** @param usual how many seeds there are unless the environment says otherwise. @returns how many there were */
export async function forEachSeed(usual: number, run: (seed: number) => Promise<void>): Promise<number> {
  const endMs = performance.now() + minutes * 60_000;
  let seeds = 0;
  for (; seeds < countOf(usual) || performance.now() < endMs; seeds++) await run(first + seeds);
  return seeds;
}

/** An error says by which seed it is seen again. */
export async function named<T>(seed: number, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const again = `MORAINE_SEED=${seed} npx vitest run test/simulation`;
    const message = `seed ${seed}: ${reason}\nTo see it again: ${again}`;
    throw error instanceof Violation ? new Violation(message, { cause: error }) : new Error(message, { cause: error });
  }
}

/** The first seed, from 1, whose world shows a bug; null if none does. */
export async function seedThatFinds(seeds: number, run: (seed: number) => Promise<unknown>): Promise<number | null> {
  for (let seed = 1; seed <= seeds; seed++) {
    const found = await run(seed).catch((error: unknown) => error);
    if (found instanceof Violation) return seed;
  }
  return null;
}
