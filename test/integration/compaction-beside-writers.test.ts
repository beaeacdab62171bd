/** Compactions beside a writer that never rests, for `MORAINE_BUSY_SECONDS` each: 20, and two minutes at night. Faults 31, 32, 33 and 38. */
import { describe, it } from 'vitest';
import { readsBesideCompaction, upsertsBesideCompaction } from '../support/busy-writer.js';
import { SOURCE } from '../support/materialization-lab.js';

const seconds = Number(process.env['MORAINE_BUSY_SECONDS'] ?? 20);
const patienceMs = seconds * 2000 + 60_000;

describe('beside a writer that upserts every 100 ms', () => {
  it.each([
    { table: SOURCE, strategy: 'binpack' },
    { table: SOURCE, strategy: 'sort', columns: ['v'] },
  ] as const)(
    'every compaction by $strategy succeeds, and the table equals the model, in versions 2 and 3',
    async (request) => {
      await Promise.all(([2, 3] as const).map((version) => upsertsBesideCompaction(seconds, request, version)));
    },
    patienceMs,
  );

  it('online reads never fail and never go back', () => readsBesideCompaction(seconds), patienceMs);
});
