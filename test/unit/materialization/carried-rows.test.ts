/** Rows that an overwrite carries over into a new file of a table with row lineage: they keep their place in the order of commits. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { parseTableName } from '../../../catalogs/index.js';
import { LAST_UPDATED, ROW_ID, scanSql } from '../../../engine/index.js';
import { localPath } from '../../../locations/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import { stageRows } from '../../../staging/index.js';
import { commitOverwrite, planFiles, selectSnapshot } from '../../../tables/index.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { Lab, SOURCE, VIEW } from '../../support/materialization-lab.js';

/** Copy-on-write as engines do it that know row lineage: the oldest file is written again without the rows of a key. */
async function overwriteOldest(lab: Lab, without: number): Promise<void> {
  const table = await lab.source();
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const planned = await planFiles(table, { schema, snapshot });
  const [oldest] = planned.files.toSorted((a, b) => Number(a.sequenceNumber - b.sequenceNumber));
  if (oldest === undefined) throw new Error('the table has no file');
  const { file, sequenceNumber } = oldest;
  const scanned = { path: localPath(file.filePath), recordCount: file.recordCount, sequenceNumber };
  const extras = { rowId: 'row_id', sequenceNumber: 'updated' };
  const files = [file.firstRowId === undefined ? scanned : { ...scanned, firstRowId: file.firstRowId }];
  const rewritten = await lab.engine.withConnection((connection) =>
    stageRows(connection, table, {
      select: `SELECT * FROM ${scanSql({ schema, files, extras })} WHERE k <> ${without}`,
      schema: { ...schema, fields: [...schema.fields, { ...LAST_UPDATED }, { ...ROW_ID }] },
      namePrefix: randomUUID(),
    }),
  );
  await commitOverwrite(table, { removeFiles: [file.filePath], files: rewritten });
}

test('a carried row does not win a tie against a later commit, and one outside of what was read is read', async () => {
  const lab = await Lab.open();
  try {
    // The keys are in different buckets.
    lab.view = { ...VIEW, onlineBuckets: 16 };
    await lab.createSource();
    await new DeleteWriter(lab, parseTableName(SOURCE).identifier).upgradeToV3();
    await lab.append([
      { k: 1, at: 10, v: 30 },
      { k: 4, at: 10, v: 5 },
      { k: 3, at: 50, v: 7 },
    ]);
    await lab.append([{ k: 1, at: 10, v: 10 }]);
    const run = (endUs?: bigint) => materializeDirect(lab.deps, { view: 'readings', endUs });
    const served = async () => {
      const entities = [1, 4, 3].map((k) => ({ k }));
      const { rows } = await getOnlineFeatures(lab.deps, { view: 'readings', entities, readTimeoutMs: 60_000 });
      return rows.map(([value]) => value?.value);
    };
    await run(40_000_000n);
    expect(await served()).toEqual([10, 5, null]);
    await overwriteOldest(lab, 4);
    expect((await run()).plan).toMatchObject({ kind: 'rebuild-buckets' });
    expect(await served()).toEqual([10, null, 7]);
  } finally {
    await lab.close();
  }
});
