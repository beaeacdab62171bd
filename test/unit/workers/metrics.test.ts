/** What the metrics of a worker count. */
import { expect, onTestFinished, test } from 'vitest';
import type { Project } from '../../../project/index.js';
import { WorkerMetrics } from '../../../workers/observability/metrics.js';

test('rows and bytes are those of staged files, not those that a plan is to read', async () => {
  const project = { engine: () => Promise.reject(new Error('none')) } as unknown as Project;
  const metrics = new WorkerMetrics(project, 'http://127.0.0.1:1/metrics');
  onTestFinished(() => metrics.close());
  const run = (activityType: string, result: object): unknown => {
    const context = { info: { activityType } } as Parameters<typeof metrics.activityInterceptors>[0];
    return metrics
      .activityInterceptors(context)
      .inbound?.execute?.({ args: [], headers: {} }, () => Promise.resolve(result));
  };
  await run('planCompaction', { planLocation: '/p', groups: 1, files: 5, rows: '70', bytes: '900' });
  await run('rewriteGroup', { group: 0, files: 1, rows: '60', bytes: '500' });
  const written = (await metrics.text()).split('\n').filter((line) => /^moraine_(rows|bytes)_written_total/.test(line));
  expect(written).toEqual([
    'moraine_rows_written_total{activity="rewriteGroup"} 60',
    'moraine_bytes_written_total{activity="rewriteGroup"} 500',
  ]);
});
