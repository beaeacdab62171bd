/** Who may claim the sink of an ingest. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parseIngestRequest } from '../../../activities/ingest-request.js';
import { openIngestSource } from '../../../activities/ingest-sources.js';
import { parseSchema } from '../../../iceberg/index.js';
import { openProject } from '../../../project/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

async function world() {
  const folder = temporaryFolder();
  const file = join(folder, 'uplinks.ndjson');
  writeFileSync(file, '{"id":1}\n');
  const project = await openProject({
    cwd: folder,
    config: {
      catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } },
      engine: { threads: 1 },
      worker: { ingestFolders: [folder] },
    },
  });
  onTestFinished(() => project.close());
  const catalog = await project.catalog();
  await catalog.createNamespace(['iot']);
  const fields = [{ id: 1, name: 'id', required: false, type: 'long' }];
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields });
  await catalog.createTable({ namespace: ['iot'], name: 'uplinks' }, { schema });
  const claims = async () => (await project.loadTable('iot.uplinks')).metadata.snapshots.length;
  const request = parseIngestRequest({ table: 'iot.uplinks', source: { kind: 'files', files: [file] } });
  const open = (order: readonly number[], { work = 'run', signal = new AbortController().signal } = {}) =>
    openIngestSource(project, request, { work, order }, { until: 'ends', signal });
  return { claims, open };
}

test('an attempt that was given up before it has opened its sink does not claim it', async () => {
  const { claims, open } = await world();
  await expect(open([1, 1], { signal: AbortSignal.abort(new Error('given up')) })).rejects.toThrow('given up');
  expect(await claims()).toBe(0);
  const { sink, source } = await open([1, 1]);
  expect(await claims()).toBe(1);
  await source.close();
  await sink.close();
});

test('an attempt does not claim the sink after a later one of its run, which goes on', async () => {
  const { claims, open } = await world();
  const later = await open([2, 10]);
  for (const order of [
    [2, 9],
    [1, 11],
    [2, 2],
  ]) {
    await expect(open(order)).rejects.toMatchObject({
      code: 'SINK_FENCED',
      message: `Sink "files" of table iot.uplinks is a later attempt's: this is attempt ${order.join('.')}, and the newest claim is that of 2.10.`,
    });
    expect(await claims()).toBe(1);
  }
  expect(await later.source.read()).toBe(true);
  // A batch has the claim of its coordinator.
  await expect(open([2, 9])).rejects.toMatchObject({ code: 'SINK_FENCED' });
  for (const [order, work] of [
    [[2, 10], 'run'],
    [[2, 11], 'run'],
    [[3, 1], 'run'],
    [[1, 1], 'next run'],
  ] as const) {
    const before = await claims();
    const { sink } = await open(order, { work });
    expect(await claims()).toBe(before + 1);
    await sink.close();
  }
  await expect(
    later.sink
      .writer(0)
      .writeBatch({ count: 0, bytes: 0, open: () => expect.unreachable() }, { partition: 'p', from: 0n, to: 1n })
      .then(() => later.sink.flush()),
  ).rejects.toMatchObject({ code: 'SINK_FENCED' });
});
