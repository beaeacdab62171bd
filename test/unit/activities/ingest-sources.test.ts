/** Who may claim the sink of an ingest. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseIngestRequest } from '../../../activities/ingest-request.js';
import { openIngestSource } from '../../../activities/ingest-sources.js';
import { parseSchema } from '../../../iceberg/index.js';
import { openProject } from '../../../project/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

test('an attempt that was given up before it has opened its sink does not claim it', async () => {
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
  const catalog = await project.catalog();
  await catalog.createNamespace(['iot']);
  const fields = [{ id: 1, name: 'id', required: false, type: 'long' }];
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields });
  await catalog.createTable({ namespace: ['iot'], name: 'uplinks' }, { schema });
  const claims = async () => (await project.loadTable('iot.uplinks')).metadata.snapshots.length;
  const request = parseIngestRequest({ table: 'iot.uplinks', source: { kind: 'files', files: [file] } });
  const open = (signal: AbortSignal) => openIngestSource(project, request, { until: 'ends', signal });

  await expect(open(AbortSignal.abort(new Error('given up')))).rejects.toThrow('given up');
  expect(await claims()).toBe(0);
  const { sink, source } = await open(new AbortController().signal);
  expect(await claims()).toBe(1);
  await source.close();
  await sink.close();
  await project.close();
});
