/**
 * How often properties are tried and from which seed: as often as their tests say, from a random one, unless the environment
 * says otherwise. `MORAINE_PROPERTY_RUNS=10` tries all of them ten times as often; `MORAINE_SEED` is the seed that a failure
 * printed, and with the same number of runs it fails again. Importing this file makes both hold for the test file.
 */
import fc from 'fast-check';
import { vi } from 'vitest';
import { numberIn, seed } from './environment.js';

export { seed };

const TEST_TIMEOUT_MS = 60_000;
const DEFAULT_RUNS = 100;

const factor = numberIn('MORAINE_PROPERTY_RUNS', /^(?=.*[1-9])\d{1,6}(\.\d+)?$/) ?? 1;
/** How often a property is tried that is usually tried `usual` times. */
export const runs = (usual: number): number => Math.max(1, Math.round(usual * factor));

/** The time limit in milliseconds of a test that usually has `usual`. */
export const timeLimit = (usual: number): number => Math.ceil(usual * Math.max(1, factor));

fc.configureGlobal({ numRuns: runs(DEFAULT_RUNS), ...(seed === undefined ? {} : { seed }) });
// A suite may have a higher limit.
if (factor > 1) vi.setConfig({ testTimeout: timeLimit(TEST_TIMEOUT_MS) });
