/** Google Cloud Storage, by a server with its rules in front of moto: it was not run on the service itself. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SYSTEM_CLOCK } from '../../catalogs/clock.js';
import { RestClient } from '../../catalogs/rest/rest-client.js';
import { grantedPrefixes } from '../../catalogs/rest/rest-grants.js';
import { joined, openStorage, StorageGrants } from '../../storage/index.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { GCS_TOKEN, type GcsServer, startGcsServer } from '../support/gcs-server.js';
import { describeInterop } from '../support/python.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { describeStorageBehavior } from './storage-behavior.js';

describeInterop('Google Cloud Storage, by a server with its rules', () => {
  let store: S3Server;
  let server: GcsServer;
  let roots = 0;

  beforeAll(async () => {
    store = await startS3Server();
    await store.makeBucket('ware_house');
    server = await startGcsServer(store);
  });
  afterAll(async () => {
    server.close();
    await store.close();
  });

  const open = async (options: Readonly<Record<string, string>> = {}) => {
    roots += 1;
    const root = `gs://ware_house/root${roots}`;
    return { io: await openStorage({ roots: [root], options: { ...server.options, ...options } }), root };
  };

  describeStorageBehavior('objects', async () => {
    const { io, root } = await open();
    return { io, root, spellings: [], waysOut: [`${root}/../x`], clockTickMs: 1000 };
  });

  async function* parts(count: number, fill: number): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < count; index++) {
      await Promise.resolve();
      yield new Uint8Array(9 * 2 ** 20).fill(fill);
    }
  }

  test('of writers of one large file exactly one wins, and nothing is left of the others', async () => {
    const { io, root } = await open();
    const results = await Promise.allSettled([1, 2, 3].map((fill) => io.createFrom(`${root}/one`, parts(2, fill))));
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(
      results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : [])),
    ).toEqual(['FILE_ALREADY_EXISTS', 'FILE_ALREADY_EXISTS']);
    const { files } = await io.listPage(root, { maxFiles: 10 });
    expect(files.map(({ location, sizeBytes }) => [location, sizeBytes])).toEqual([[`${root}/one`, 18 * 2 ** 20]]);
    const end = await joined(io.readRange(`${root}/one`, { offset: 17 * 2 ** 20, length: 3 }));
    expect([...end]).toEqual([winner + 1, winner + 1, winner + 1]);
  });

  test('a token is sent as it is; without access, or with a wrong one, an error names the option', async () => {
    const bearer = { 'gcs.service.host': server.endpoint, 'gcs.oauth2.token': GCS_TOKEN };
    const root = 'gs://ware_house/token';
    const io = await openStorage({ roots: [root], options: bearer });
    await io.create(`${root}/f`, new Uint8Array([7]));
    expect([...(await io.read(`${root}/f`))]).toEqual([7]);
    const expired = await openStorage({ roots: [root], options: { ...bearer, 'gcs.oauth2.token-expires-at': '1000' } });
    expect((await failureOf(expired.read(`${root}/f`))).message).toContain('gcs.oauth2.token has expired');
    const wrong = await openStorage({ roots: [root], options: { ...bearer, 'gcs.oauth2.token': 'x' } });
    expect((await failureOf(wrong.read(`${root}/f`))).message).toContain('gcs.oauth2.token');
    const secret = await open({ 'gcs.secret-access-key': 'y' });
    const refused = await failureOf(secret.io.create(`${secret.root}/f`, new Uint8Array(1)));
    expect(refused.message).toContain('gcs.secret-access-key');
    expect(await rejectionCode(openStorage({ roots: [root], options: {} }))).toBe('CONFIG_INVALID');
  });

  test('a token that a REST catalog gives opens the files of its table alone, and is renewed before it ends', async () => {
    const root = 'gs://ware_house/vended';
    const table = `${root}/t`;
    const endsMs = (hours: number) => Date.now() + hours * 3_600_000;
    const client = new RestClient('http://127.0.0.1:1', {}, SYSTEM_CLOCK);
    const given = (token: string, hours: number) => {
      const config = { 'gcs.oauth2.token': token, 'gcs.oauth2.token-expires-at': `${endsMs(hours)}` };
      return grantedPrefixes({ config }, new Map(), client);
    };
    let nowMs = Date.now();
    const grants = new StorageGrants({ scope: 'test', nowMs: () => nowMs });
    grants.set('t', {
      folders: [table],
      prefixes: given('first-token', 1),
      renew: () => Promise.resolve(given('second-token', 2)),
    });
    const options = { 'gcs.service.host': server.endpoint };
    const io = await openStorage({ roots: [root], options, grants });
    server.tokens.add('first-token');
    await io.create(`${table}/f`, new Uint8Array([7]));
    await io.createFrom(`${table}/large`, parts(2, 1));
    expect([...(await io.read(`${table}/f`))]).toEqual([7]);
    const beside = await failureOf(io.read(`${root}/beside`));
    expect([beside.code, beside.message]).toEqual(['CONFIG_INVALID', expect.stringContaining('gcs.access-key-id')]);

    server.tokens.delete('first-token');
    server.tokens.add('second-token');
    nowMs = endsMs(0.99);
    expect([...(await io.read(`${table}/f`))]).toEqual([7]);
    // The store may take it no longer although it should not have ended.
    server.tokens.delete('second-token');
    const refused = await failureOf(io.read(`${table}/f`));
    expect(refused.code).toBe('STORAGE_UNAVAILABLE');
    expect(refused.message).toContain('that the catalog gave with its table');
    expect(JSON.stringify(refused) + refused.message).not.toContain('second-token');
  });
});
