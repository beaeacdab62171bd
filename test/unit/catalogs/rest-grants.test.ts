/** What answers of REST catalogs give, in the forms of the specification and of the servers that were measured. */
import { expect, test } from 'vitest';
import { SYSTEM_CLOCK } from '../../../catalogs/clock.js';
import { RestClient } from '../../../catalogs/rest/rest-client.js';
import { foldersOf, grantedPrefixes } from '../../../catalogs/rest/rest-grants.js';
import { checkedEndpoint } from '../../../catalogs/rest/store-endpoint.js';
import { newTableMetadata } from '../../../iceberg/index.js';
import { errorOf } from '../../support/error-code.js';

const client = new RestClient('https://catalog.example.com/iceberg', {}, SYSTEM_CLOCK);
const given = (answer: object, server: Readonly<Record<string, string>> = {}, endpoint?: string) =>
  grantedPrefixes(
    answer as never,
    new Map(Object.entries(server)),
    client,
    endpoint === undefined ? {} : { 's3.endpoint': endpoint },
  );

const KEYS = { 's3.access-key-id': 'ID', 's3.secret-access-key': 'SECRET', 's3.session-token': 'TOKEN' };

test('the credentials of a table stand in its configuration, or by prefix, with what they have in common', () => {
  expect(given({ config: { ...KEYS, 'client.region': 'eu-west-1', 's3.path-style-access': 'true' } })).toEqual([
    { prefix: '', options: { ...KEYS, 's3.region': 'eu-west-1', 's3.force-virtual-addressing': 'false' } },
  ]);
  const answer = {
    config: { 's3.endpoint': 'https://store.example.com' },
    'storage-credentials': [
      { prefix: 's3a://lake/t/data', config: { ...KEYS, 's3.session-token-expires-at-ms': '1795506685000' } },
      { prefix: 's3', config: { ...KEYS, 's3.endpoint': 'https://other.example.com' } },
      { prefix: 's3://no-keys', config: {} },
      { config: KEYS },
      'nothing',
    ],
  };
  expect(given(answer, { 'client.region': 'us-east-1', 's3.path-style-access': 'false' })).toEqual([
    {
      prefix: 's3://lake/t/data',
      options: {
        ...KEYS,
        's3.endpoint': 'https://store.example.com',
        's3.region': 'us-east-1',
        's3.force-virtual-addressing': 'true',
      },
      expiresMs: 1795506685000,
    },
    {
      prefix: 's3',
      options: {
        ...KEYS,
        's3.endpoint': 'https://other.example.com',
        's3.region': 'us-east-1',
        's3.force-virtual-addressing': 'true',
      },
    },
  ]);
});

test('an answer that gives nothing for S3 gives nothing', () => {
  expect(given({})).toEqual([]);
  expect(given({ config: { 's3.access-key-id': 'ID' }, 'storage-credentials': {} })).toEqual([]);
  expect(given({ config: { 's3.remote-signing-enabled': 'false' } })).toEqual([]);
});

test('a token for Google Cloud Storage is for its locations, beside what is given for S3, until it ends', () => {
  const token = { 'gcs.oauth2.token': 'TOKEN', 'gcs.oauth2.token-expires-at': '1800000000000' };
  expect(given({ config: token })).toEqual([
    { prefix: 'gs://', options: { 'gcs.oauth2.token': 'TOKEN' }, expiresMs: 1_800_000_000_000 },
  ]);
  const both = { config: KEYS, 'storage-credentials': [{ prefix: 'gs://lake/t', config: token }] };
  expect(given(both).map(({ prefix, options }) => [prefix, Object.keys(options)])).toEqual([
    ['gs://lake/t', ['gcs.oauth2.token']],
    ['', Object.keys(KEYS)],
  ]);
  const elsewhere = { ...token, 'gcs.service.host': 'https://169.254.169.254' };
  expect(errorOf(() => given({ config: elsewhere })).message).toContain('Set gcs.service.host in storage.options');
});

test('requests are signed where there are no keys, on the host of the catalog only', () => {
  const signing = { 's3.remote-signing-enabled': 'true' };
  expect(given({ config: signing })).toEqual([{ prefix: '', options: {}, sign: expect.any(Function) as unknown }]);
  const own = { ...signing, 's3.signer.uri': 'https://catalog.example.com/x/', 's3.signer.endpoint': 'v1/sign' };
  expect(given({ config: own })).toHaveLength(1);
  expect(given({ config: { ...signing, ...KEYS } })[0]).not.toHaveProperty('sign');
  for (const elsewhere of [
    { 's3.signer.uri': 'https://evil.example.com/' },
    { 's3.signer.uri': 'http://catalog.example.com/' },
    { 's3.signer.endpoint': 'https://evil.example.com/sign' },
  ])
    expect(errorOf(() => given({ config: { ...signing, ...elsewhere } })).code).toBe('CONFIG_INVALID');
});

test.each([
  ['http://169.254.169.254/latest', 'without TLS'],
  ['https://169.254.169.254', 'an address of this machine or of its network'],
  ['https://127.0.0.1:9000', 'an address of this machine or of its network'],
  ['https://127.1', 'an address of this machine or of its network'],
  ['https://2130706433', 'an address of this machine or of its network'],
  ['https://0.0.0.0', 'an address of this machine or of its network'],
  ['https://[::1]:9000', 'an address of this machine or of its network'],
  ['https://[::ffff:127.0.0.1]', 'an address of this machine or of its network'],
  ['https://[fe80::1]', 'an address of this machine or of its network'],
  ['https://[fd00:ec2::254]', 'an address of this machine or of its network'],
  ['https://LOCALHOST:9000', 'an address of this machine or of its network'],
  ['https://store.localhost', 'an address of this machine or of its network'],
  ['https://metadata.google.internal', 'an address of this machine or of its network'],
  ['http://store.example.com', 'without TLS'],
  ['ftp://store.example.com', 'which is not the address of a store'],
  ['https://user:word@store.example.com', 'which is not the address of a store'],
  ['nonsense', 'which is not the address of a store'],
])('a store at %s is refused until it is configured', (endpoint, reason) => {
  const config = { ...KEYS, 's3.endpoint': endpoint };
  const error = errorOf(() => given({ config }));
  expect(error.code).toBe('CONFIG_INVALID');
  expect(error.message).toContain(`${reason}. Set s3.endpoint in storage.options if you trust it.`);
  expect(error.message).not.toContain('SECRET');
  // Own settings count before what the catalog says.
  expect(given({ config }, {}, 'https://own.example.com')[0]?.options['s3.endpoint']).toBe('https://own.example.com');
});

test('a store is allowed elsewhere, on the host of the catalog, and without TLS beside a catalog without', () => {
  expect(checkedEndpoint('s3.endpoint', 'https://s3.eu-west-1.amazonaws.com', 'https://catalog.example.com')).toContain(
    'amazonaws',
  );
  expect(checkedEndpoint('s3.endpoint', 'https://10.0.0.7:9000', 'https://catalog.example.com')).toContain('10.0.0.7');
  expect(checkedEndpoint('s3.endpoint', 'http://catalog.example.com:9000', 'https://catalog.example.com')).toContain(
    ':9000',
  );
  expect(checkedEndpoint('s3.endpoint', 'http://127.0.0.1:9000', 'http://127.0.0.1:19120')).toContain(':9000');
  expect(checkedEndpoint('s3.endpoint', 'http://minio:9000', 'http://nessie:19120')).toContain('minio');
});

test('the folders of a table are its location and where its properties put files', () => {
  const metadata = newTableMetadata({
    schema: { schemaId: 0, identifierFieldIds: [], fields: [] },
    location: 's3://lake/t',
    properties: new Map([
      ['write.data.path', 's3://data/t'],
      ['write.metadata.path', 's3://meta/t'],
      ['other.path', 's3://x'],
    ]),
    tableUuid: '',
    nowMs: 0n,
  });
  expect(foldersOf(metadata)).toEqual(['s3://lake/t', 's3://data/t', 's3://meta/t']);
});
