/** How many buckets a new online table gets. Expected numbers: a power of two, with at most 4,096 entities in a bucket, from 16 to 256. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quoteLiteral } from '../../../engine/index.js';
import type { FeatureView } from '../../../features/index.js';
import { materializeDirect, planMaterialization } from '../../../materialization/index.js';
import type { OnlineSettings } from '../../../online/index.js';
import { openablePath } from '../../../scans/index.js';
import { filesOf } from '../../support/compaction-lab.js';
import { Lab, SOURCE_SCHEMA, VIEW } from '../../support/materialization-lab.js';

const { entities, source, ttlMs, online, features } = VIEW;
const BY_DEFAULT: FeatureView = { name: VIEW.name, entities, source, ttlMs, online, features };

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  lab.view = BY_DEFAULT;
});
afterEach(async () => {
  await lab.close();
});

/** The partition spec that new files of the view's table have. */
async function plannedSpec(settings?: OnlineSettings): Promise<unknown> {
  await planMaterialization({ ...lab.deps, ...(settings && { settings }) }, { view: 'readings', attemptId: 'a' });
  const { metadata } = await lab.online();
  const spec = metadata.partitionSpecs.find(({ specId }) => specId === metadata.defaultSpecId);
  return spec?.fields.map(({ transform }) => transform);
}

const buckets = (numBuckets: number) => [{ kind: 'bucket', numBuckets }];
/** Rows of a source whose schema has a key, two times and a value. */
const rows = (count: number, key: string) =>
  `SELECT ${key}, TIMESTAMPTZ '2026-03-01', NULL, 1.5 FROM range(${count}) AS r(i)`;

describe('a new online table', () => {
  it.each([
    ['as few entities as rows', rows(65_536, 'i'), 16],
    ['one entity more than 16 buckets take', rows(65_537, 'i'), 32],
    ['as many keys as rows, over a wide range', rows(140_000, 'i * 1000 - 70000000'), 64],
    ['few keys in many rows', rows(140_000, 'i % 10 - 5'), 16],
    ['keys in a range of 70,000 in more rows', rows(140_000, 'i // 2'), 32],
  ])('of %s', async (_name, select, expected) => {
    await lab.createSource();
    await lab.appendSelect(select);
    expect(await plannedSpec()).toEqual(buckets(expected));
  });

  it('counts rows where keys are texts', async () => {
    await lab.createSource({
      ...SOURCE_SCHEMA,
      fields: SOURCE_SCHEMA.fields.map((field) =>
        field.name === 'k' ? { ...field, type: { kind: 'string' } } : field,
      ),
    });
    await lab.appendSelect(rows(70_000, "'key ' || (i % 10)"));
    expect(await plannedSpec()).toEqual(buckets(32));
  });

  it('has 256 buckets at most', async () => {
    await lab.createSource();
    await lab.appendSelect(rows(2_000_000, 'i'));
    expect(await plannedSpec()).toEqual(buckets(256));
  });

  it('has the number of the settings, of the view before that; and keeps it when more entities come', async () => {
    await lab.createSource();
    await lab.appendSelect(rows(70_000, 'i'));
    const settings = { namespace: ['moraine_online'], buckets: 3 };
    lab.view = { ...lab.view, onlineBuckets: 5 };
    expect(await plannedSpec(settings)).toEqual(buckets(5));
    await lab.catalog.dropTable((await lab.online()).identifier);
    lab.view = BY_DEFAULT;
    expect(await plannedSpec(settings)).toEqual(buckets(3));
    await lab.appendSelect(rows(140_000, 'i'));
    expect(await plannedSpec()).toEqual(buckets(3));
  });

  it('has 16 buckets of an empty source', async () => {
    await lab.createSource();
    expect(await plannedSpec()).toEqual(buckets(16));
  });

  it('has row groups of at most 16,384 rows, which other engines find', async () => {
    await lab.createSource();
    await lab.appendSelect(rows(40_000, 'i'));
    lab.view = { ...BY_DEFAULT, onlineBuckets: 1 };
    await materializeDirect(lab.deps, { view: 'readings' });
    const table = await lab.online();
    expect(table.metadata.properties.get('write.parquet.row-group-limit')).toBe('16384');
    const files = (await filesOf(table)).map(({ file }) => file.filePath);
    const groups = await lab.engine.withConnection(async (connection) => {
      const opened = await Promise.all(files.map((file) => openablePath(connection, lab.io, file)));
      const paths = opened.map(quoteLiteral).join(', ');
      return await connection.rows(
        `SELECT DISTINCT file_name, row_group_id, row_group_num_rows FROM parquet_metadata([${paths}])`,
      );
    });
    const counts = groups.map(([, , count]) => Number(count));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(40_000);
    expect(counts.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...counts)).toBeLessThanOrEqual(16_384);
  });
});
