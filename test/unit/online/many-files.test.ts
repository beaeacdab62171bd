/** Looks at tables of many files: others have their turns meanwhile. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { applyTransform, type DataFile } from '../../../iceberg/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader } from '../../../online/index.js';
import { commitAppend } from '../../../tables/index.js';
import { filesOf } from '../../support/compaction-lab.js';
import { Lab } from '../../support/materialization-lab.js';

const FILES = 2_000;
const KEY = 7;
const PATIENT = { readTimeoutMs: 2_000_000, maxStalenessMs: 1_000_000_000 };

let lab: Lab;
let reader: OnlineReader;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
  reader = new OnlineReader({ ...lab.deps, queueTimeoutMs: 2_000_000 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await reader.close();
  await lab.close();
});

/** Lists files that nobody reads in the online table: of another bucket than the key's. */
async function listFiles(count: number): Promise<void> {
  const table = await lab.online();
  const bucket = applyTransform({ kind: 'bucket', numBuckets: 4 }, { kind: 'long' }, BigInt(KEY));
  const other = (await filesOf(table)).find(({ file }) => file.partition[0] !== bucket) ?? expect.unreachable();
  const files = Array.from({ length: count }, (): DataFile => {
    return { ...other.file, filePath: `${table.metadata.location}/data/${randomUUID()}.parquet` };
  });
  await commitAppend(table, { files });
}

it('reads of decoded rows have their turns while a look goes through thousands of files', async () => {
  await lab.append(Array.from({ length: 100 }, (_, k) => ({ k, at: 10, v: k })));
  await materializeDirect(lab.deps, { view: 'readings' });
  const read = async (...keys: number[]) => {
    const { rows } = await reader.getOnlineFeatures({
      view: 'readings',
      entities: keys.map((k) => ({ k })),
      ...PATIENT,
    });
    return rows.map(([value]) => value?.value);
  };
  expect(await read(KEY)).toEqual([KEY]);
  await listFiles(FILES);
  // A slice of work is over each time that somebody looks at the clock.
  const now = performance.now.bind(performance);
  let leaptMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now() + (leaptMs += 2));
  let isLooked = false;
  const look = reader
    .getOnlineFeatures({ view: 'readings', entities: [], ...PATIENT, maxStalenessMs: 0 })
    .finally(() => (isLooked = true));
  let answered = 0;
  for (; !isLooked; answered += 1) {
    expect(await read(KEY)).toEqual([KEY]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await look;
  expect(answered).toBeGreaterThan(FILES);
  expect(reader.openViews[0]?.files).toBe(4 + FILES);
});
