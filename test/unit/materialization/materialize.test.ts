import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { materializeDirect } from '../../../materialization/index.js';
import { Lab } from '../../support/materialization-lab.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
});
afterEach(async () => {
  await lab.close();
});

const NEWEST =
  'SELECT k, epoch(event_timestamp), v FROM rows QUALIFY row_number() OVER (PARTITION BY k ORDER BY event_timestamp DESC, created_timestamp DESC NULLS LAST, seq DESC, v DESC NULLS LAST) = 1 ORDER BY k';

describe('materialize', () => {
  it('writes the newest row per entity', async () => {
    await lab.append([
      { k: 1, at: 10, v: 1 },
      { k: 1, at: 20, v: 2 },
      { k: 2, at: 15, v: null },
    ]);
    const { commit, plan } = await materializeDirect(lab.deps, { view: 'readings' });
    expect(plan.kind).toBe('incremental');
    expect(commit?.rows).toBe(2n);
    expect(await lab.query(await lab.online(), NEWEST)).toEqual([
      [1n, 20, 2],
      [2n, 15, null],
    ]);
  });
});
