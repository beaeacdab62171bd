/**
 * Columns of uuids as other engines find them: stored as Java stores them, and what PyIceberg finds. By a partition that is the uuid itself
 * PyIceberg finds nothing, in Spark's tables either: it compares the partition, a UUID, with the literal's bytes
 * (https://github.com/apache/iceberg/issues/8248). A PyIceberg that finds the row fails this test: then the limit in
 * docs/offline-store.md has gone.
 */
import { expect, it } from 'vitest';
import { describeInterop, python } from '../support/python.js';
import { sparkIdentityMetadata } from '../support/spark-tables.js';
import { openTableWorld, schemaOf } from '../support/table-world.js';

const UUID = 'f79c3e09-677c-4bbd-a479-3f349cb785e7';
const OTHERS = ['00000000-0000-0000-0000-000000000001', '80000000-0000-0000-0000-000000000000'];
const bytesOf = (uuid: string): string => uuid.replaceAll('-', '');

interface UuidColumn {
  readonly partition_type: readonly unknown[] | null;
  readonly partitions: readonly (string | null)[];
  readonly summaries: readonly (readonly (string | null)[])[];
  readonly bounds: readonly (readonly (string | null)[])[];
  readonly parquet: readonly (readonly unknown[])[];
  readonly found: Readonly<Record<string, number | string>>;
}

/** The effect of a partition by the uuid itself on PyIceberg's filters; the rest is right. */
const LOST = { eq: 0, in: 0, ge: 'TypeError' };

describeInterop('columns of uuids', () => {
  it('are stored as Java stores them, and found by PyIceberg but where it cannot', async () => {
    const world = await openTableWorld();
    const rows = [...OTHERS, UUID].map((uuid, id) => `SELECT ${id} AS id, '${uuid}'::UUID AS u`).join(' UNION ALL ');
    const tables = { plain: undefined, bucketed: 'bucket[4](u)', own: 'identity(u)' };
    for (const [name, partitioning] of Object.entries(tables)) {
      await world.create(name, schemaOf({ id: 'int', u: 'uuid' }), partitioning);
      await world.append(name, `${rows} UNION ALL SELECT 9, NULL`);
    }
    const locations = await Promise.all(
      Object.keys(tables).map(async (name) => (await world.load(name)).metadataLocation.replace(/^file:\/\//, '')),
    );
    const [spark, plain, bucketed, own] = await python<UuidColumn[]>(
      'uuid_column.py',
      UUID,
      sparkIdentityMetadata('uuid_and_time'),
      ...locations,
    );
    const leaf = ['FIXED_LEN_BYTE_ARRAY', 16, 'UUID'];
    const bytes = bytesOf(UUID);
    expect(spark).toEqual({
      partition_type: ['fixed', 16, 'uuid'],
      partitions: [bytes, null],
      summaries: [[bytes, bytes]],
      bounds: [
        [bytes, bytes],
        [null, null],
      ],
      parquet: [leaf, leaf],
      found: { ...LOST, null: 1, present: 1 },
    });
    const all = [...OTHERS.map(bytesOf), bytes];
    expect(own).toEqual({
      partition_type: spark?.partition_type,
      partitions: [...all, null],
      summaries: [[all[0], bytes]],
      bounds: [...all.map((one) => [one, one]), [null, null]],
      parquet: [leaf, leaf, leaf, leaf],
      found: { ...LOST, null: 1, present: 3 },
    });
    const found = { eq: 1, in: 1, ge: 1, null: 1, present: 3 };
    expect(plain).toMatchObject({ bounds: [[all[0], bytes]], parquet: [leaf], found });
    expect(bucketed).toMatchObject({
      parquet: Array.from({ length: bucketed?.bounds.length ?? 0 }, () => leaf),
      found,
    });
  });
});
