import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PrefixMap } from '../../../locations/index.js';
import { LocalFileIO, openStorage, storeOptionsAt } from '../../../storage/index.js';
import { S3FileIO } from '../../../storage/s3/s3-file-io.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const KEYS = { 's3.access-key-id': 'a', 's3.secret-access-key': 'b' };
const options = (endpoint: string) => ({ 's3.endpoint': endpoint, ...KEYS });

test('storage of one kind is that storage', async () => {
  expect(await openStorage({ roots: ['/w'] })).toBeInstanceOf(LocalFileIO);
  expect(await openStorage({ roots: ['s3a://bucket/w'], options: { 's3.region': 'x' } })).toBeInstanceOf(S3FileIO);
});

test('a location decides which storage it lies in', async () => {
  const folder = temporaryFolder();
  const io = await openStorage({
    roots: [folder, 's3://lake/a', 's3a://other/x'],
    options: options('http://127.0.0.1:1'),
    stores: [{ name: 'other', roots: ['s3://other', 's3://*--tables'], options: options('http://127.0.0.1:2') }],
    diskCache: { folder: join(folder, 'cache'), maxBytes: 2 ** 20 },
    prefixes: new PrefixMap([{ prefix: 's3://old/w', folder }]),
  });
  const scopes = ['s3://lake/a/f', 's3n://lake/a', 's3://other/f', 's3://x--tables/f', `${folder}/f`, 's3://old/w/f'];
  expect(scopes.map((location) => io.scope(location))).toEqual([
    '["http://127.0.0.1:1","","a"]',
    '["http://127.0.0.1:1","","a"]',
    '["http://127.0.0.1:2","","a"]',
    '["http://127.0.0.1:2","","a"]',
    'local',
    'local',
  ]);
  expect(io.localFiles('s3://lake/a/f')).toBeNull();
  expect(io.diskCache('s3://lake/a/f')).toBe(io.diskCache('s3://other/f'));
  expect(io.diskCache(`${folder}/f`)).toBeNull();
  expect(await io.canonical('s3://old/w/f')).toBe(`${folder}/f`);
  expect(await io.canonical('s3a://other/f')).toBe('s3://other/f');
  for (const elsewhere of ['s3://lake/b', 's3://lake', 's3://old/v', '/etc/passwd', 's3://lake/a/../b', 'hdfs://h/x']) {
    expect(await rejectionCode(io.read(elsewhere)), elsewhere).toBe('LOCATION_REFUSED');
    expect(await rejectionCode(io.create(elsewhere, new Uint8Array())), elsewhere).toBe('LOCATION_REFUSED');
    expect(await rejectionCode(io.listPage(elsewhere, { maxFiles: 1 })), elsewhere).toBe('LOCATION_REFUSED');
    expect(await rejectionCode(io.canonical(elsewhere)), elsewhere).toBe('LOCATION_REFUSED');
  }
  expect((await failureOf(io.read('s3://lake/b'))).message).toBe(
    `Location "s3://lake/b" is refused: it is outside the allowed storage roots (${folder}, s3://lake/a, s3a://other/x, s3://other, s3://*--tables).`,
  );
});

test('files of several storages are deleted in one call; the first failure is reported after all were tried', async () => {
  const folder = temporaryFolder();
  const io = await openStorage({ roots: [folder, 's3://lake'], options: options('http://127.0.0.1:1') });
  await io.create(`${folder}/kept`, new Uint8Array(1));
  await io.create(`${folder}/gone`, new Uint8Array(1));
  expect(await rejectionCode(io.delete('s3://elsewhere/x', `${folder}/gone`))).toBe('LOCATION_REFUSED');
  expect(await rejectionCode(io.stat(`${folder}/gone`))).toBe('FILE_NOT_FOUND');
  expect((await io.stat(`${folder}/kept`)).sizeBytes).toBe(1);
});

test.each([
  [
    'of two stores',
    {
      stores: [
        ['a', 's3://bbb/x'],
        ['c', 's3a://bbb'],
      ],
    },
    's3a://bbb of c and s3://bbb/x of a overlap',
  ],
  [
    'of two stores with endings',
    {
      stores: [
        ['a', 's3://*--x-y'],
        ['c', 's3://*-y'],
      ],
    },
    's3://*-y of c and s3://*--x-y of a overlap',
  ],
  [
    'of an ending and a bucket',
    {
      stores: [
        ['a', 's3://b-y/p'],
        ['c', 's3://*-y'],
      ],
    },
    's3://*-y of c and s3://b-y/p of a overlap',
  ],
  [
    'of a root and a store below it',
    { roots: ['s3://bbb'], stores: [['a', 's3://bbb/x']] },
    's3://bbb/x of a and s3://bbb of storage.options overlap',
  ],
  [
    'of a root and a mapped prefix below it',
    { roots: ['s3://bbb'], prefix: 's3a://bbb/x' },
    's3://bbb and the prefix s3://bbb/x of storage.locations overlap',
  ],
  [
    'of a root and a mapped prefix above it',
    { roots: ['s3://bbb/x/y'], prefix: 's3://bbb/x' },
    's3://bbb/x/y and the prefix s3://bbb/x of storage.locations overlap',
  ],
] as const)('overlapping places are refused: %s', async (_, { roots = [], stores = [], prefix }: Places, message) => {
  const opened = openStorage({
    roots: ['/w', ...roots],
    stores: stores.map(([name, root]) => ({ name, roots: [root], options: KEYS })),
    prefixes: new PrefixMap(prefix === undefined ? [] : [{ prefix, folder: '/w' }]),
  });
  const failure = await failureOf(opened);
  expect(failure.code).toBe('CONFIG_INVALID');
  expect(failure.message).toContain(`One location would name two files: ${message};`);
});

interface Places {
  readonly roots?: readonly string[];
  readonly stores?: readonly (readonly [name: string, root: string])[];
  readonly prefix?: string;
}

test('the options of a location are those of the store that names its bucket', () => {
  const stores = { options: { a: '1' }, stores: [{ name: 'x', roots: ['s3://bbb/x'], options: { b: '2' } }] };
  expect(storeOptionsAt(stores, 's3a://bbb/x/y')).toEqual({ b: '2' });
  expect(storeOptionsAt(stores, 's3://bbb/y')).toEqual({ a: '1' });
  expect(storeOptionsAt(stores, '/b/x')).toEqual({});
});

test.each(['s3://', 's3://b', 's3://Bucket_/x', 's3://bucket//x', 's3://bucket/./x'])(
  'a root that is not a place in a store is refused: %s',
  async (root) => {
    expect(await rejectionCode(openStorage({ roots: [root] }))).toBe('LOCATION_REFUSED');
  },
);

test('credentials are whole', async () => {
  const options = { 's3.access-key-id': 'a' };
  await expect(openStorage({ roots: ['s3://bucket'], options })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'The storage option s3.secret-access-key is missing beside the access key.',
  });
});
