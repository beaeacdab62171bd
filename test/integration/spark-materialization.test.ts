/** Tables of Apache Spark materialized snapshot by snapshot, as its deletes came: what is served at last is what Spark reads. */
import { expect, onTestFinished, test } from 'vitest';
import { ancestors } from '../../iceberg/index.js';
import { type MaterializationDeps, materializeDirect } from '../../materialization/index.js';
import { loadTableAt } from '../../tables/index.js';
import { Lab, VIEW } from '../support/materialization-lab.js';
import { SPARK_TABLES, sparkMetadata, unpackSparkTables } from '../support/spark-tables.js';

/** Those with a time; none of their ids has two rows. */
const TABLES = ['evolved_spec', 'avro_gzip', 'avro_snappy', 'avro_zstd', 'avro_uncompressed'];

test.each(TABLES)('%s', async (name) => {
  const lab = await Lab.open({ others: [unpackSparkTables()] });
  onTestFinished(() => lab.close());
  lab.view = { ...VIEW, source: { table: 'spark.source', timestampField: 'at' }, features: [{ name: 'text' }] };
  lab.joinKeys = ['id'];
  const source = await loadTableAt(lab.io, sparkMetadata(name));
  const kinds = new Set<string>();
  for (const { snapshotId } of [...ancestors(source.metadata, source.metadata.currentSnapshotId ?? -1n)].reverse()) {
    const metadata = { ...source.metadata, currentSnapshotId: snapshotId };
    const deps: MaterializationDeps = { ...lab.deps, loadSource: () => Promise.resolve({ ...source, metadata }) };
    kinds.add((await materializeDirect(deps, { view: VIEW.name })).plan.kind);
  }
  expect(kinds).not.toContain('full');
  expect(kinds).toContain('rebuild-buckets');
  const rows = SPARK_TABLES[name]?.rows.filter(({ id, at }) => id !== null && at !== null) ?? [];
  const served = await lab.query(await lab.online(), 'SELECT id::VARCHAR, "text" FROM rows ORDER BY ALL');
  expect(served).toEqual(rows.map(({ id, text }) => [String(id), text]).sort());
});
