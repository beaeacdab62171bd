/** A source table whose files another engine wrote as Avro: materialized, served and joined as any other. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeAvroFile } from '../../../iceberg/avro/container.js';
import type { DataFile } from '../../../iceberg/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { getOnlineFeatures } from '../../../online/index.js';
import { commitAppend } from '../../../tables/index.js';
import { Lab } from '../../support/materialization-lab.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
});
afterEach(async () => {
  await lab.close();
});

const instant = { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true };
const optional = (name: string, type: unknown, id: number) => ({ name, type: ['null', type], 'field-id': id });
const AVRO_SCHEMA = {
  type: 'record',
  name: 'table',
  fields: [
    optional('k', 'long', 1),
    optional('event_ts', instant, 2),
    optional('created', instant, 3),
    optional('v', 'double', 4),
  ],
};

/** Commits rows (key, event second, value) as an Avro file. */
async function appendAvro(name: string, rows: readonly (readonly [number, number, number])[]): Promise<string> {
  const folder = join(lab.folder, 'warehouse', 'foreign');
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  const records = rows.map(([k, at, v]) => ({ f0: BigInt(k), f1: BigInt(at) * 1_000_000n, f2: null, f3: v }));
  await writeFile(path, writeAvroFile(AVRO_SCHEMA as never, new Map(), records));
  const file: DataFile = {
    content: 'data',
    filePath: path,
    fileFormat: 'AVRO',
    specId: 0,
    partition: [],
    recordCount: BigInt(rows.length),
    fileSizeInBytes: BigInt((await stat(path)).size),
  };
  await commitAppend(await lab.source(), { files: [file] });
  return path;
}

async function served(k: number): Promise<unknown> {
  const request = { view: 'readings', entities: [{ k }], nowUs: 4_000_000_000_000_000n, readTimeoutMs: 60_000 };
  const { rows } = await getOnlineFeatures(lab.deps, request);
  return rows.map((values) => values.map(({ value }) => value));
}

it('Avro files beside Parquet files are materialized, in full and incrementally', async () => {
  await lab.createSource();
  await lab.append([{ k: 1, at: 10, v: 1.5 }]);
  await appendAvro('one.avro', [
    [1, 20, 2.5],
    [2, 5, 7],
  ]);
  await materializeDirect(lab.deps, { view: 'readings' });
  expect([await served(1), await served(2)]).toEqual([[[2.5]], [[7]]]);
  await appendAvro('two.avro', [[2, 6, 8]]);
  await materializeDirect(lab.deps, { view: 'readings' });
  expect([await served(1), await served(2)]).toEqual([[[2.5]], [[8]]]);
});

it('a damaged Avro file ends the run with its name', async () => {
  await lab.createSource();
  const path = await appendAvro('one.avro', [[1, 20, 2.5]]);
  // The magic at the start.
  await writeFile(path, Buffer.alloc(4), { flag: 'r+' });
  await expect(materializeDirect(lab.deps, { view: 'readings' })).rejects.toMatchObject({
    code: 'DATA_FILE_CORRUPT',
    details: { path },
  });
});
