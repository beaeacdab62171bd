/** Compactions beside a writer that never rests; two minutes of it in `test:integration`. Faults 31, 32, 33 and 38. */
import { describe, it } from 'vitest';
import { readsBesideCompaction, upsertsBesideCompaction } from '../support/busy-writer.js';
import { SOURCE } from '../support/materialization-lab.js';

/** Both at once take this long. */
const SECONDS = 7;

describe('beside a writer that upserts every 100 ms', () => {
  it('every compaction succeeds, and the table equals the model', async () => {
    await Promise.all([
      upsertsBesideCompaction(SECONDS, { table: SOURCE, strategy: 'binpack' }, 2),
      upsertsBesideCompaction(SECONDS, { table: SOURCE, strategy: 'sort', columns: ['v'] }, 3),
    ]);
  }, 120_000);

  it('online reads never fail and never go back', () => readsBesideCompaction(SECONDS), 120_000);
});
