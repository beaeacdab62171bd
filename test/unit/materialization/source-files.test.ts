/** Materialization from unusual source files: renamed nested fields, damage, pruning. */
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMoraineError, type MoraineError } from '../../../errors/index.js';
import { currentSchema, currentSnapshot, parsePartitionSpec, type Schema } from '../../../iceberg/index.js';
import { type MaterializationRequest, materializeDirect } from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import { planFiles, readSnapshotManifests, type Table } from '../../../tables/index.js';
import { lostFiles } from '../../support/lost-files.js';
import { Lab, SOURCE_SCHEMA } from '../../support/materialization-lab.js';

const us = (seconds: number): bigint => BigInt(seconds) * 1_000_000n;
const SOURCE = { namespace: ['demo'], name: 'source' };

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
});
afterEach(async () => {
  await lab.close();
});

const run = (request: Partial<MaterializationRequest> = {}) =>
  materializeDirect(lab.deps, { view: 'readings', ...request });

async function served(k: number): Promise<readonly unknown[]> {
  const request = { view: 'readings', entities: [{ k }], nowUs: us(4_000_000_000), readTimeoutMs: 60_000 };
  const { rows } = await getOnlineFeatures(lab.deps, request);
  return rows.map((values) => values.map(({ value }) => value));
}

/** A struct as online reads give it. */
const struct = (fields: Readonly<Record<string, number>>) => new Map(Object.entries(fields));

async function failure(work: Promise<unknown>): Promise<MoraineError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isMoraineError(error)) throw new Error('no MoraineError', { cause: error });
  return error;
}

async function livePaths(table: Table): Promise<readonly string[]> {
  const { files } = await planFiles(table, {
    snapshot: currentSnapshot(table.metadata),
    schema: currentSchema(table.metadata),
  });
  return files.map(({ file }) => file.filePath);
}

describe('a source partitioned by a column itself', () => {
  it.each(['k', 'event_ts', 'v'])('%s, of every value', async (column) => {
    await lab.catalog.createNamespace(['demo']);
    const partitionSpec = parsePartitionSpec(column, SOURCE_SCHEMA);
    await lab.catalog.createTable(SOURCE, { schema: SOURCE_SCHEMA, partitionSpec });
    const values = [1.5, Infinity, Number.NaN, null];
    await lab.append(values.map((v, index) => ({ k: index, at: index, v })));
    await run();
    expect(await Promise.all(values.map((_, k) => served(k)))).toEqual(values.map((v) => [[v]]));
  });
});

describe('files that came and went since the last run are read at a snapshot that has them', () => {
  const steps: Readonly<Record<string, () => Promise<unknown>>> = {
    append: () => lab.append([{ k: 1, at: 20, v: 20 }]),
    more: () => lab.append([{ k: 2, at: 30, v: 30 }]),
    compaction: () => lab.compact(),
    overwrite: () => lab.updateWhere('k = 3', 31),
  };
  it.each([
    ['append, compaction'],
    ['append, compaction, more'],
    ['append, more, compaction, compaction'],
    ['append, compaction, more, compaction'],
    ['append, overwrite, more, compaction'],
    ['append, compaction, overwrite'],
    ['append, compaction, overwrite, more, compaction'],
  ])('%s', async (names) => {
    await lab.createSource();
    const first = [1, 2, 3].map((k) => ({ k, at: 10, v: 10 + k }));
    await lab.append(first);
    await run();
    const done = names.split(', ');
    for (const name of done) await steps[name]?.();
    expect(await lostFiles(lab)).toEqual([]);
    await run();
    const values = [20, done.includes('more') ? 30 : 12, done.includes('overwrite') ? 31 : 13];
    expect(await Promise.all([1, 2, 3].map(served))).toEqual(values.map((v) => [[v]]));
  });
});

describe('a nested field', () => {
  /** `v` is a struct of two doubles, called by these names. */
  const schemaWith = (schemaId: number, first: string, second: string): Schema => {
    const member = (id: number, name: string) => ({ id, name, required: false, type: { kind: 'double' } as const });
    const v = {
      id: 4,
      name: 'v',
      required: false,
      type: { kind: 'struct', fields: [member(5, first), member(6, second)] },
    };
    return { ...SOURCE_SCHEMA, schemaId, fields: [...SOURCE_SCHEMA.fields.slice(0, 3), v as Schema['fields'][number]] };
  };
  const rename = (schema: Schema) =>
    lab.update(SOURCE, [
      { action: 'add-schema', schema },
      { action: 'set-current-schema', schemaId: schema.schemaId },
    ]);
  const append = (k: number, value: string) =>
    lab.appendSelect(`SELECT ${k}::BIGINT, make_timestamptz(10000000), NULL::TIMESTAMPTZ, ${value}`);

  it('that was renamed in the source is found by its id in older files', async () => {
    await lab.createSource(schemaWith(0, 'mean', 'peak'));
    await append(1, '{mean: 1.5, peak: 9.0}');
    await rename(schemaWith(1, 'average', 'peak'));
    await append(2, '{average: 2.5, peak: 8.0}');
    await run();
    expect(await served(1)).toEqual([[struct({ average: 1.5, peak: 9 })]]);
    expect(await served(2)).toEqual([[struct({ average: 2.5, peak: 8 })]]);
  });

  it('that exchanged its name with another keeps its values, also in a table that was materialized before', async () => {
    await lab.createSource(schemaWith(0, 'mean', 'peak'));
    await append(1, '{mean: 1.5, peak: 9.0}');
    await run();
    expect(await served(1)).toEqual([[struct({ mean: 1.5, peak: 9 })]]);
    await rename(schemaWith(1, 'peak', 'mean'));
    await append(2, '{peak: 2.5, mean: 8.0}');
    expect((await run()).plan.kind).toBe('full');
    expect(await served(1)).toEqual([[struct({ peak: 1.5, mean: 9 })]]);
    expect(await served(2)).toEqual([[struct({ peak: 2.5, mean: 8 })]]);
  });
});

describe('a source file', () => {
  let path: string;
  beforeEach(async () => {
    await lab.createSource();
    await lab.append([{ k: 1, at: 10, v: 1 }]);
    const before = new Set(await livePaths(await lab.source()));
    await lab.append(Array.from({ length: 5000 }, (_, k) => ({ k, at: 20, v: k / 7 })));
    path = (await livePaths(await lab.source())).find((file) => !before.has(file)) ?? '';
  });

  async function expectFailure(code: string): Promise<void> {
    const error = await failure(run());
    expect(error.code).toBe(code);
    expect(error.message).toContain(path);
    expect((await lab.online()).metadata.currentSnapshotId).toBeNull();
  }

  it('that is gone is named, and nothing is committed', async () => {
    await rm(path);
    await expectFailure('FILE_NOT_FOUND');
  });

  it('that was cut off is named, and nothing is committed', async () => {
    await truncate(path, (await stat(path)).size - 100);
    await expectFailure('DATA_FILE_CORRUPT');
  });

  it('whose rows are damaged is named, and nothing is committed', async () => {
    const bytes = await readFile(path);
    bytes.fill(0xff, 4, bytes.length >> 1);
    await writeFile(path, bytes);
    await expectFailure('DATA_FILE_CORRUPT');
  });

  it('is looked at too when only its event times are asked for', async () => {
    await truncate(path, (await stat(path)).size - 100);
    // The file's rows are held back: planning looks for the first of them.
    expect(await failure(run({ endUs: us(15) }))).toMatchObject({ code: 'DATA_FILE_CORRUPT' });
  });
});

describe('a file of the online table', () => {
  it('that is damaged is named by a read', async () => {
    await lab.createSource();
    await lab.append([{ k: 1, at: 10, v: 1 }]);
    await run();
    const [path = ''] = await livePaths(await lab.online());
    await truncate(path, (await stat(path)).size - 1);
    const damaged = await failure(served(1));
    expect([damaged.code, damaged.message.includes(path)]).toEqual(['DATA_FILE_CORRUPT', true]);
    await rm(path);
    const missing = await failure(served(1));
    expect([missing.code, missing.message.includes(path)]).toEqual(['FILE_NOT_FOUND', true]);
  });
});

it('reads only the manifests of the months that a window meets', async () => {
  await lab.createSource();
  const spec = { ...parsePartitionSpec('month(event_ts)', SOURCE_SCHEMA), specId: 1 };
  await lab.update(SOURCE, [
    { action: 'add-spec', spec },
    { action: 'set-default-spec', specId: 1 },
  ]);
  const month = (number: number): number => Date.UTC(2024, number - 1, 10) / 1000;
  for (let number = 1; number <= 6; number++) await lab.append([{ k: number, at: month(number), v: number }]);
  const source = await lab.source();
  const manifests = await readSnapshotManifests(lab.io, currentSnapshot(source.metadata));
  expect(manifests).toHaveLength(6);
  // Newest first: all manifests but March's are made unreadable, so a run that reads another fails.
  for (const [index, { manifestPath }] of manifests.entries()) {
    if (index !== 3) await writeFile(manifestPath, 'not Avro');
  }
  lab.io.cache.clear();
  const { plan, commit } = await run({
    startUs: us(Date.UTC(2024, 2, 1) / 1000),
    endUs: us(Date.UTC(2024, 3, 1) / 1000),
  });
  expect([plan.files, commit?.rows]).toEqual([1, 1n]);
  expect(await served(3)).toEqual([[3]]);
  expect(await failure(run({ startUs: us(month(2)), endUs: us(month(4)) }))).toMatchObject({
    code: 'MANIFEST_CORRUPT',
  });
});
