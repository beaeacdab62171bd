/** A run in parts gives the rows of one that reads everything at once; each file is read by one part, and nothing is left over. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quoteIdentifier } from '../../../engine/index.js';
import { currentSchema, type IcebergType, type NestedField } from '../../../iceberg/index.js';
import {
  commitMaterialization,
  discardReducedRows,
  extractShard,
  materializeDirect,
  planMaterialization,
  reducePart,
} from '../../../materialization/index.js';
import { readPlan } from '../../../materialization/read-plan.js';
import { filesOfPart } from '../../../materialization/reduction-parts.js';
import { readReducedRows } from '../../../reduction/index.js';
import { loadTable } from '../../../tables/index.js';
import { Lab, SOURCE } from '../../support/materialization-lab.js';

let lab: Lab;

beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
});

afterEach(() => lab.close());

/** Newest by event time, created, commit and value; the values name the reason why a row wins. */
async function appendTies(): Promise<void> {
  await lab.append([
    { k: 1, at: 10, created: 5, v: 1 },
    { k: 2, at: 10, created: 5, v: 2 },
    { k: 3, at: 10, created: 5, v: 7 },
    { k: 3, at: 10, created: 5, v: 3 },
    { k: 4, at: 12, created: null, v: 4 },
  ]);
  await lab.append([
    { k: 1, at: 11, created: null, v: 10 },
    { k: 2, at: 10, created: 6, v: 20 },
    { k: 3, at: 9, created: 9, v: 30 },
    { k: 5, at: 3, created: null, v: -0 },
  ]);
  await lab.append([
    { k: 2, at: 10, created: 6, v: 15 },
    { k: 4, at: 12, created: 1, v: 40 },
    { k: 5, at: 3, created: null, v: null },
    { k: 6, at: 2_000, created: null, v: 60 },
    { k: 6, at: 2_000, created: null, v: 61 },
    { k: 6, at: 5, created: null, v: 62 },
  ]);
}

const NOW_US = 1_000n * 1_000_000n;
const ROWS = 'SELECT k, epoch(event_timestamp)::BIGINT, v FROM rows ORDER BY ALL';
const EXPECTED = [
  [1n, 11n, 10],
  [2n, 10n, 15],
  [3n, 10n, 7],
  [4n, 12n, 40],
  [5n, 3n, null],
  [6n, 5n, 62],
  [6n, 2_000n, 61],
];

async function runInParts(): Promise<{ reduced: string[]; planLocation: string; parts: number }> {
  const plan = await planMaterialization(lab.deps, {
    view: 'readings',
    attemptId: randomUUID(),
    nowUs: NOW_US,
    shards: 3,
  });
  const planLocation = plan.planLocation ?? '';
  const reduced: string[] = [];
  for (let part = 0; part < (plan.reduction?.parts ?? 0); part++) {
    const { reducedLocation } = await reducePart(lab.deps, planLocation, part);
    if (reducedLocation !== null) reduced.push(reducedLocation);
  }
  const manifests: string[] = [];
  for (let shard = 0; shard < plan.shards; shard++) {
    const { manifestLocation } = await extractShard(lab.deps, planLocation, shard, { reduced });
    if (manifestLocation !== null) manifests.push(manifestLocation);
  }
  await commitMaterialization(lab.deps, planLocation, manifests);
  return { reduced, planLocation, parts: plan.reduction?.parts ?? 0 };
}

test('ties over parts are decided by created time, commit and value; rows of the future keep their times', async () => {
  await appendTies();
  const { parts } = await runInParts();
  expect(parts).toBe(3);
  expect(await lab.query(await lab.online(), ROWS)).toEqual(EXPECTED);
});

test('a rebuild in parts keeps pushed rows and rebuilds its buckets only', async () => {
  await appendTies();
  await runInParts();
  await lab.push({ k: 7, at: 1, v: 70 });
  await lab.push({ k: 1, at: 10, v: 71 });
  await lab.deleteWhere('k = 1 AND v = 10');
  await lab.append([{ k: 8, at: 1, v: 80 }]);
  await runInParts();
  // The delete wrote the second file again: its rows are of a later commit than those of the third that they tie with.
  const newest = `SELECT k, max_by(v, event_timestamp) FROM rows WHERE k <> 1 AND epoch(event_timestamp) < 1000 GROUP BY k ORDER BY k`;
  expect(await lab.query(await lab.online(), newest)).toEqual([
    [2n, 20],
    [3n, 7],
    [4n, 40],
    [5n, 0],
    [6n, 62],
    [7n, 70],
    [8n, 80],
  ]);
  expect(await lab.query(await lab.online(), 'SELECT v FROM rows WHERE k = 1 ORDER BY v')).toEqual([[1], [71]]);
});

test('each file is in one part, and reduced rows are of the shard that they are listed for', async () => {
  await appendTies();
  const { reduced, planLocation, parts } = await runInParts();
  const plan = await readPlan(lab.io, planLocation);
  const read = Array.from({ length: parts }, (_, part) => [...(filesOfPart(plan, part) ?? [])]).flat();
  const planned = plan.appendReads.flatMap(({ files }) => files.map(({ path }) => path));
  expect(read.toSorted()).toEqual([...new Set(planned)].toSorted());
  let rows = 0n;
  for (const location of reduced) {
    for (const file of (await readReducedRows(lab.io, location)).files) {
      expect(file.shard).toBeGreaterThanOrEqual(0);
      rows += file.recordCount;
    }
  }
  // The rows of each part's newest times: 4 entities of the first file with one tie, 4 of the second, 4 of the third, and a row of the future.
  expect(rows).toBe(5n + 4n + 5n);
  await discardReducedRows(lab.io, planLocation, reduced);
  for (const location of reduced)
    await expect(readReducedRows(lab.io, location)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
});

test('values of every type come through parts bit by bit, beside the null keys and times that no entity has', async () => {
  const kinds = ['int', 'float', 'double', 'boolean', 'string', 'binary', 'date', 'time', 'uuid'] as const;
  const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });
  const struct = (id: number): IcebergType => ({
    kind: 'struct',
    fields: [field(id, 'x', { kind: 'double' }), field(id + 1, 'y', { kind: 'string' })],
  });
  const list = (elementId: number, element: IcebergType): IcebergType => ({
    kind: 'list',
    elementId,
    elementRequired: false,
    element,
  });
  const map: IcebergType = {
    ...({ kind: 'map', keyId: 34, key: { kind: 'string' }, valueId: 35, valueRequired: false } as const),
    value: list(36, struct(37)),
  };
  const fields = [
    field(1, 'k', { kind: 'decimal', precision: 20, scale: 4 }),
    field(2, 'other', { kind: 'string' }),
    field(3, 'event_ts', { kind: 'timestamptz' }),
    ...kinds.map((kind, index) => field(4 + index, `of_${kind}`, { kind })),
    field(20, 'of_struct', struct(31)),
    field(21, 'of_list', list(40, { kind: 'float' })),
    field(22, 'of_map', map),
  ];
  await lab.dropSource();
  await lab.catalog.createTable(
    { namespace: ['demo'], name: 'source' },
    { schema: { schemaId: 0, identifierFieldIds: [], fields }, formatVersion: 3 },
  );
  lab.joinKeys = ['k', 'other'];
  lab.view = {
    ...lab.view,
    source: { table: SOURCE, timestampField: 'event_ts' },
    features: fields.slice(3).map(({ name }) => ({ name })),
  };
  const rows = (from: number): string => `
    SELECT ((i % 20) / 8)::DECIMAL(20, 4), CASE WHEN i % 13 = 0 THEN NULL ELSE 'é' || i % 3 END,
      CASE WHEN i % 17 = 0 THEN NULL ELSE make_timestamptz((i % 7) * 1000001) END,
      CASE WHEN i % 5 = 0 THEN NULL ELSE i END::INTEGER, ['0', '-0', 'NaN', '1.5'][i % 4 + 1]::FLOAT,
      ['-0', 'Infinity', 'NaN', '0.1'][i % 4 + 1]::DOUBLE, i % 2 = 0, repeat(chr(1) || '"', (i % 3)::INTEGER), ('x' || i)::BLOB,
      DATE '1969-12-30' + i::INTEGER, make_time(i % 24, 1, 2.000003), ('00000000-0000-0000-0000-0000000000' || (10 + i % 90))::UUID,
      {'x': CASE WHEN i % 2 = 0 THEN '-0'::DOUBLE END, 'y': 'a' || i}, [NULL, '-0'::FLOAT, i::FLOAT],
      MAP {'m': [{'x': i / 3, 'y': NULL}]} FROM range(${from}, ${from + 60}) t(i)`;
  for (const from of [0, 60, 25]) await lab.appendSelect(rows(from));
  const of = (namespace: string) => ({ ...lab.deps, settings: { namespace: [namespace], buckets: 4 } });
  const online = async (namespace: string, shards: number): Promise<unknown[][]> => {
    const { plan } = await materializeDirect(of(namespace), { view: 'readings', shards });
    expect(plan.reduction?.parts ?? 0).toBe(shards === 1 ? 0 : shards);
    const table = await loadTable(lab.catalog, lab.io, { namespace: [namespace], name: 'readings' });
    const texts = currentSchema(table.metadata).fields.map(({ name }) => `${quoteIdentifier(name)}::VARCHAR`);
    return await lab.query(table, `SELECT ${texts.join(', ')} FROM rows ORDER BY ALL`);
  };
  const whole = await online('whole', 1);
  expect(whole.length).toBe(60);
  expect(JSON.stringify(whole)).toContain('"-0.0"');
  expect(await online('parts', 3)).toEqual(whole);
});

test('a part that the plan does not have is refused', async () => {
  await appendTies();
  const { planLocation } = await runInParts();
  await expect(reducePart(lab.deps, planLocation, 3)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
