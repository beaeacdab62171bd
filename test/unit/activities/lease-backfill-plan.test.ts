import { expect, test } from 'vitest';
import { leasePlanIn } from '../../../activities/lease-backfill-plan.js';
import { planBackfill, storeBackfillPlan } from '../../../backfill/index.js';
import { leasesOf } from '../../../tables/index.js';
import { Lab } from '../../support/materialization-lab.js';

test('the plan of a backfill is leased in the online table, once', async () => {
  const lab = await Lab.open();
  try {
    await lab.createSource();
    await lab.append([{ k: 1, at: 2, v: 1 }]);
    const range = { startUs: 0n, endUs: 10_000_000n, stepUs: 1_000_000n };
    const location = await storeBackfillPlan(lab.deps, await planBackfill(lab.deps, { view: 'readings', ...range }));
    const nowMs = BigInt(Date.now());
    await leasePlanIn(() => lab.online(), location, [], nowMs - 1000n);
    await leasePlanIn(() => lab.online(), location, [], nowMs);
    const name = /moraine-backfill-[0-9a-f]{16}(?=\.json$)/.exec(location)?.[0];
    expect(leasesOf((await lab.online()).metadata)).toEqual([
      {
        id: name,
        kind: 'backfill',
        snapshotIds: [],
        filePrefixes: [name],
        expiresAtMs: nowMs + 7n * 86_400_000n,
      },
    ]);
  } finally {
    await lab.close();
  }
});
