/** Idempotency keys of a table: found as long as they are valid, whatever became of files and snapshots; their files are few. */
import { expect, test } from 'vitest';
import { Relocation } from '../../../locations/index.js';
import { relocatedMetadata } from '../../../maintenance/move/relocated-table.js';
import { filesOfMetadata } from '../../../maintenance/sweep/table-files.js';
import {
  encodeRecords,
  findRecord,
  type IdempotencyRecord,
  sortedRecords,
} from '../../../tables/idempotency-records.js';
import {
  commitAppend,
  findIdempotencyKeys,
  IDEMPOTENCY_KEYS,
  IdempotencyKeysTaken,
  idempotencyFiles,
  recordingKeys,
  type Table,
} from '../../../tables/index.js';
import { dataFile, IDENTIFIER, tableFixture } from '../../support/table-fixture.js';

const PARTITION = ['a'];
const HOUR_MS = 3_600_000;
const key = (number: number) => ({ key: number.toString(16).padStart(32, '0'), content: '00000000000000ff' });

async function fixture() {
  const { load, catalog, folder } = await tableFixture();
  let nowMs = Date.UTC(2026, 2, 1);
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, random: () => 0, sleep: () => Promise.resolve() };
  const clocked = new Proxy(catalog, {
    get: (target, name) => {
      const member: unknown = name === 'clock' ? clock : Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  const table = async (): Promise<Table> => ({ ...(await load()), catalog: clocked });
  const commit = async (from: number, count: number) => {
    const at = await table();
    const keys = Array.from({ length: count }, (_, index) => key(from + index));
    return await commitAppend(at, { files: [dataFile(PARTITION)], ...recordingKeys(at, keys) });
  };
  const find = async (...numbers: number[]) => {
    const found = await findIdempotencyKeys(
      await table(),
      numbers.map((number) => key(number).key),
    );
    return numbers.map((number) => found.get(key(number).key)?.snapshotId);
  };
  return { folder, catalog, table, commit, find, pass: (ms: number) => (nowMs += ms) };
}

test('keys are found by the snapshot of their commit, in the property and in files, and no commit has them twice', async () => {
  const { table, commit, find } = await fixture();
  const first = await commit(0, 2);
  expect(await find(0, 1, 2)).toEqual([first.snapshotId, first.snapshotId, undefined]);
  await expect(commit(1, 1)).rejects.toThrow(IdempotencyKeysTaken);
  const second = await commit(1000, 300);
  const third = await commit(2000, 1);
  // The records of two commits have gone to a file.
  expect(idempotencyFiles((await table()).metadata).map(({ records }) => records)).toEqual([302]);
  expect(await find(1, 1000, 1299, 1300, 2000)).toEqual([
    first.snapshotId,
    second.snapshotId,
    second.snapshotId,
    undefined,
    third.snapshotId,
  ]);
  await expect(commit(1299, 1)).rejects.toThrow(IdempotencyKeysTaken);
});

test('files are merged, so that few are listed, and every key is still found', async () => {
  const { table, commit, find } = await fixture();
  const commits: bigint[] = [];
  for (let index = 0; index < 20; index += 1) commits.push((await commit(index * 1000, 256)).snapshotId);
  const files = idempotencyFiles((await table()).metadata);
  expect(files.reduce((sum, { records }) => sum + records, 0)).toBe(19 * 256);
  expect(files.map(({ records }) => records)).toEqual([2048, 2048, 256, 256, 256]);
  expect(await find(...commits.map((_, index) => index * 1000 + 255))).toEqual(commits);
  expect([...filesOfMetadata(await table())].filter(({ reason }) => reason.includes('idempotency'))).toHaveLength(5);
}, 60_000);

test('keys end after 24 hours, and their files leave the list', async () => {
  const { table, commit, find, pass } = await fixture();
  const first = await commit(0, 300);
  pass(23 * HOUR_MS);
  const second = await commit(1000, 300);
  expect(await find(0, 1000)).toEqual([first.snapshotId, second.snapshotId]);
  pass(HOUR_MS);
  expect(await find(0, 1000)).toEqual([undefined, second.snapshotId]);
  await commit(0, 1);
  // The file of the first commit has gone, and there is one of the second.
  expect(idempotencyFiles((await table()).metadata).map(({ records }) => records)).toEqual([300]);
});

test('a key whose commit was rolled back is free, one whose snapshot has expired is not', async () => {
  const { table, catalog, commit, find } = await fixture();
  const first = await commit(0, 1);
  const second = await commit(1, 1);
  await catalog.commitTable(IDENTIFIER, {
    requirements: [],
    updates: [{ action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: first.snapshotId } }],
  });
  expect(await find(0, 1)).toEqual([first.snapshotId, undefined]);
  const third = await commit(1, 1);
  expect(await find(0, 1)).toEqual([first.snapshotId, third.snapshotId]);
  const snapshotIds = [first.snapshotId, second.snapshotId];
  await catalog.commitTable(IDENTIFIER, { requirements: [], updates: [{ action: 'remove-snapshots', snapshotIds }] });
  expect((await table()).metadata.snapshots).toHaveLength(1);
  expect(await find(0, 1)).toEqual([first.snapshotId, third.snapshotId]);
});

test('a moved table lists the files in their new place', async () => {
  const { table, commit } = await fixture();
  for (const from of [0, 1000]) await commit(from, 300);
  const { metadata } = await table();
  const moved = relocatedMetadata(metadata, new Relocation(metadata.location, 's3://bucket/t'));
  expect(idempotencyFiles(moved).map(({ location }) => location)).toEqual(
    idempotencyFiles(metadata).map(({ location }) => location.replace(metadata.location, 's3://bucket/t')),
  );
  expect(idempotencyFiles(moved)).toHaveLength(1);
});

test('a damaged property is said so, and stops no sweep', async () => {
  const { catalog, commit, table } = await fixture();
  await commit(0, 1);
  const updates = new Map([[IDEMPOTENCY_KEYS, '{']]);
  await catalog.commitTable(IDENTIFIER, { requirements: [], updates: [{ action: 'set-properties', updates }] });
  await expect(commit(1, 1)).rejects.toThrow(/The table property moraine\.idempotency-keys cannot be read/);
  expect(idempotencyFiles((await table()).metadata)).toEqual([]);
});

test('a file is searched by key, and has the newest record of each', () => {
  const record = (number: number, snapshotId: bigint, committedMs: bigint): IdempotencyRecord => ({
    ...key(number),
    snapshotId,
    committedMs,
  });
  const records = [7, 3, 255, 16, 3].map((number, index) => record(number, BigInt(index), BigInt(index)));
  const bytes = encodeRecords(sortedRecords(records, 0));
  expect(bytes).toHaveLength(4 * 40);
  expect([3, 7, 16, 255, 4, 0, 256].map((number) => findRecord(bytes, key(number).key)?.snapshotId)).toEqual([
    4n,
    0n,
    3n,
    2n,
    undefined,
    undefined,
    undefined,
  ]);
  expect(findRecord(bytes, key(3).key)).toEqual(record(3, 4n, 4n));
});
