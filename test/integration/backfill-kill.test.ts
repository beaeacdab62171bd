/**
 * The worker of a backfill is killed with SIGKILL when a window is planned, and between the commit of a group and its report, and is
 * started again. The points between: `crash-points.test.ts`.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { FaultPoint } from '../../materialization/index.js';
import { killAtPoint } from '../support/kill-at-point.js';
import { KilledRun } from '../support/killed-run.js';
import { BACKFILL } from '../support/works.js';

const POINTS: readonly FaultPoint[] = ['plan-written', 'after-swap'];
const made: KilledRun[] = [];

afterAll(async () => {
  await Promise.all(made.map((run) => run.clean()));
});

describe('a backfill whose worker is killed', () => {
  test.concurrent.each(POINTS)(
    'at %s: it finishes, each window is committed once, and the rows are right',
    async (point) => {
      const run = new KilledRun(BACKFILL, (marker) => killAtPoint(point, marker));
      made.push(run);
      const survival = await run.run();
      expect(survival.killedBy).toBe('SIGKILL');
      await run.expectWhole(survival);
    },
  );
});
