import { asyncLocalStorage, type Context } from '@temporalio/activity';
import { expect, test } from 'vitest';
import { withReachedTables } from '../../../activities/reached-tables.js';
import type { Project } from '../../../project/index.js';

test('a step that names a plan and its table asks for the table before it begins, and no other does', async () => {
  const seen: unknown[] = [];
  const project = { reach: (...args: unknown[]) => Promise.resolve(void seen.push(['reach', ...args])) };
  const info = { workflowExecution: { workflowId: 'w', runId: 'r' }, activityId: '1', attempt: 1 };
  const context = { cancellationSignal: new AbortController().signal, heartbeat: () => undefined, info };
  const step = (input: unknown) => Promise.resolve(void seen.push(input));
  const steps = withReachedTables(project as unknown as Project, { extract: step });
  const extract = (input: unknown) => asyncLocalStorage.run(context as unknown as Context, () => steps.extract(input));
  const plan = { planLocation: 's3://lake/t/metadata/plan.json', table: 'ns.t', shard: 1 };
  await extract(plan);
  expect(seen.splice(0)).toEqual([['reach', 'ns.t', plan.planLocation], plan]);
  const windows = { view: 'v', table: 'ns.v', windows: [] };
  await extract(windows);
  expect(seen.splice(0)).toEqual([['reach', 'ns.v', undefined], windows]);
  // Of a version that did not say, of no plan, of nothing.
  for (const input of [{ planLocation: plan.planLocation }, { table: 'ns.t', runId: 'r' }, { view: 'v' }, undefined]) {
    await extract(input);
    expect(seen.splice(0)).toEqual([input]);
  }
});
