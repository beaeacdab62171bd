/** Locations and answers that would lead a client of a store elsewhere. The "store" is a proxy that tells what it was asked. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { S3FileIO } from '../../../storage/s3/s3-file-io.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { type FaultyProxy, startFaultyProxy } from '../../support/faulty-proxy.js';

const ROOT = 's3://lake/warehouse';
const HOSTILE = [
  's3://other/warehouse/x',
  's3a://other/warehouse/x',
  's3://lake/elsewhere/x',
  's3://lake/warehouse-beside/x',
  's3://lake/warehouse/../elsewhere/x',
  's3://lake/warehouse/./x',
  's3://lake/warehouse//x',
  's3://lake/warehouse/a\0b',
  's3://user:pass@lake/warehouse/x',
  'gs://lake/warehouse/x',
  'file:///lake/warehouse/x',
  '/lake/warehouse/x',
  'http://169.254.169.254/latest/meta-data',
];

let store: FaultyProxy;
let elsewhere: FaultyProxy;
let io: S3FileIO;
beforeAll(async () => {
  [store, elsewhere] = await Promise.all([
    startFaultyProxy('http://127.0.0.1:1'),
    startFaultyProxy('http://127.0.0.1:1'),
  ]);
  const keys = { 's3.access-key-id': 'me', 's3.secret-access-key': 'canary-secret' };
  io = new S3FileIO({ roots: [ROOT], options: { 's3.endpoint': store.address, 's3.region': 'us-east-1', ...keys } });
});
afterAll(() => Promise.all([store.close(), elsewhere.close()]));
beforeEach(() => {
  store.seen.length = 0;
  elsewhere.seen.length = 0;
});

const WAYS = {
  read: (location: string) => io.read(location),
  'asked about': (location: string) => io.stat(location),
  created: (location: string) => io.create(location, new Uint8Array(1)),
  deleted: (location: string) => io.delete(location),
  listed: (location: string) => io.listPage(location, { maxFiles: 1 }),
} as const;

test.each(Object.keys(WAYS) as (keyof typeof WAYS)[])(
  'nothing outside the roots is %s, and no request is sent for it',
  async (way) => {
    for (const location of HOSTILE) expect(await rejectionCode(WAYS[way](location)), location).toBe('LOCATION_REFUSED');
    expect(store.seen).toEqual([]);
  },
);

test('a key is taken as it is written: %2e is three characters', async () => {
  store.fateOf = () => ({ status: 404, body: '' });
  expect(await rejectionCode(io.read(`${ROOT}/%2e%2e/x`))).toBe('FILE_NOT_FOUND');
  expect(store.seen.map(({ path }) => path.replace(/\?.*/, ''))).toEqual(['/lake/warehouse/%252e%252e/x']);
});

test.each([301, 302, 307, 308])(
  'a store that redirects with %d is not followed, and nothing is sent elsewhere',
  async (status) => {
    store.fateOf = () => ({ status, headers: { location: `${elsewhere.address}/lake/warehouse/x` }, body: '' });
    for (const way of [WAYS.read, WAYS.created, WAYS.deleted, WAYS.listed]) {
      const failure = await failureOf(way(`${ROOT}/x`));
      expect(failure.code).toBe('STORAGE_UNAVAILABLE');
      expect(failure.message).not.toContain('canary-secret');
    }
    expect(elsewhere.seen).toEqual([]);
  },
);
