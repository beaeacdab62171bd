/** The Glue catalog on moto, behind a check of versions. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetTableCommand, GlueClient, UpdateTableCommand } from '@aws-sdk/client-glue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalog, type LoadedTable, openGlueCatalog, type TableIdentifier } from '../../catalogs/index.js';
import type { Schema } from '../../iceberg/index.js';
import { createMoraine, defineEntity, defineFeatureView } from '../../index.js';
import { LocalFileIO } from '../../storage/index.js';
import { describeCatalogBehavior } from '../conformance/catalog-behavior.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { type Fate, type FaultyProxy, type SeenRequest, startFaultyProxy } from '../support/faulty-proxy.js';
import { type GlueServer, startGlue } from '../support/glue-server.js';
import { python } from '../support/python.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

let moto: S3Server;
let glue: GlueServer;
let proxy: FaultyProxy;
/** Each test has an account of its own. */
let accounts = 100_000_000_000;
beforeAll(async () => {
  moto = await startS3Server();
  glue = await startGlue(moto);
  proxy = await startFaultyProxy(glue.endpoint);
});
afterAll(async () => {
  await proxy.close();
  await glue.close();
  await moto.close();
});

function openIn(folder: string, account: string, options: Readonly<Record<string, string>> = {}): Promise<Catalog> {
  const io = new LocalFileIO({ roots: [folder] });
  const all = { ...glue.options, 'glue.access-key-id': account, ...options };
  return openGlueCatalog({ name: 'test', warehouse: `${folder}/wh`, io, options: all });
}

describeCatalogBehavior(
  'Glue catalog',
  async () => {
    const folder = temporaryFolder();
    const account = String(accounts++);
    const open = () => openIn(folder, account);
    return { catalog: await open(), reopen: open, folder: `${folder}/wh`, io: new LocalFileIO({ roots: [folder] }) };
  },
  { isHive: true, refusedNames: ['new\nline', ' ', '.', '..'] },
);

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'id', required: true, type: { kind: 'long' }, doc: 'who' },
    { id: 2, name: 'at', required: false, type: { kind: 'timestamptz' } },
    {
      id: 3,
      name: 'tags',
      required: false,
      type: {
        kind: 'map',
        keyId: 4,
        key: { kind: 'string' },
        valueId: 5,
        valueRequired: false,
        value: { kind: 'uuid' },
      },
    },
    { id: 6, name: 'price', required: false, type: { kind: 'decimal', precision: 9, scale: 2 } },
  ],
};
const TABLE: TableIdentifier = { namespace: ['shop'], name: 'orders' };

/** A catalog behind the proxy, with a table, and what Glue says of it. */
async function withTable() {
  proxy.fateOf = () => 'pass';
  const folder = temporaryFolder();
  const account = String(accounts++);
  const catalog = await openIn(folder, account, { 'glue.endpoint': proxy.address });
  await catalog.createNamespace(['shop']);
  const created = await catalog.createTable(TABLE, { schema: SCHEMA });
  proxy.seen.length = 0;
  const credentials = { accessKeyId: account, secretAccessKey: 'x' };
  const client = new GlueClient({ endpoint: glue.endpoint, region: 'us-east-1', credentials });
  const entry = async (Name = 'orders') =>
    (await client.send(new GetTableCommand({ DatabaseName: 'shop', Name }))).Table ?? expect.unreachable();
  return { folder, account, catalog, created, client, entry };
}

const set = (catalog: Catalog, value: string, key = 'p'): Promise<unknown> =>
  catalog.commitTable(TABLE, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: new Map([[key, value]]) }],
  });
const valueOf = async (catalog: Catalog): Promise<string | undefined> =>
  (await catalog.loadTable(TABLE)).metadata.properties.get('p');

const metadataFiles = ({ metadata }: LoadedTable): readonly string[] =>
  readdirSync(join(metadata.location, 'metadata'));

const targetOf = ({ headers }: SeenRequest): string => String(headers['x-amz-target']).replace('AWSGlue.', '');
const sent = (target: string): number => proxy.seen.filter((seen) => targetOf(seen) === target).length;
/** One kind of request has this fate, every other passes. */
const spoil = (target: string, fate: Fate): void => {
  proxy.fateOf = (seen) => (targetOf(seen) === target ? fate : 'pass');
};
/** Does something while the next commit is on its way. */
const beforeUpdate = (step: () => Promise<unknown>): void => {
  let isFirst = true;
  proxy.fateOf = async (seen): Promise<Fate> => {
    if (targetOf(seen) === 'UpdateTable' && isFirst) {
      isFirst = false;
      await step();
    }
    return 'pass';
  };
};
const refusal = (type: string, status = 400): Fate => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.1' },
  body: JSON.stringify({ __type: type, message: 'told by the proxy' }),
});

describe('an entry', () => {
  test('is what Java and PyIceberg write, and keeps what others have added', async () => {
    const { catalog, created, client, entry } = await withTable();
    const column = (Name: string, Type: string, id: number, optional: boolean) => ({
      Name,
      Type,
      Parameters: {
        'iceberg.field.id': `${id}`,
        'iceberg.field.optional': `${optional}`,
        'iceberg.field.current': 'true',
      },
    });
    expect(await entry()).toMatchObject({
      TableType: 'EXTERNAL_TABLE',
      Parameters: { table_type: 'ICEBERG', metadata_location: created.metadataLocation },
      StorageDescriptor: {
        Location: created.metadata.location,
        Columns: [
          { ...column('id', 'bigint', 1, false), Comment: 'who' },
          column('at', 'timestamp', 2, true),
          column('tags', 'map<string,string>', 3, true),
          column('price', 'decimal(9,2)', 4, true),
        ],
      },
    });
    const { Parameters, StorageDescriptor } = await entry();
    const theirs = {
      Name: 'orders',
      Description: 'of the crawler',
      Owner: 'somebody',
      TableType: 'EXTERNAL_TABLE',
      Parameters: { ...Parameters, classification: 'x' },
      StorageDescriptor,
    };
    await client.send(new UpdateTableCommand({ DatabaseName: 'shop', TableInput: theirs }));
    await set(catalog, 'moraine.secret', 'moraine.p');
    const after = await entry();
    expect(after).toMatchObject({ Description: 'of the crawler', Owner: 'somebody' });
    expect(after.Parameters).toEqual({
      classification: 'x',
      table_type: 'ICEBERG',
      metadata_location: (await catalog.loadTable(TABLE)).metadataLocation,
      previous_metadata_location: created.metadataLocation,
    });
  });

  test('that is no Iceberg table is none, and holds its name', async () => {
    const { catalog, client } = await withTable();
    const TableInput = { Name: 'orders', Parameters: { classification: 'parquet' } };
    await client.send(new UpdateTableCommand({ DatabaseName: 'shop', TableInput }));
    expect(await catalog.listTables(['shop'])).toEqual([]);
    expect(await rejectionCode(catalog.loadTable(TABLE))).toBe('TABLE_NOT_FOUND');
    expect(await rejectionCode(catalog.dropTable(TABLE))).toBe('TABLE_NOT_FOUND');
    expect(await rejectionCode(catalog.createTable(TABLE, { schema: SCHEMA }))).toBe('TABLE_ALREADY_EXISTS');
    expect(await rejectionCode(catalog.dropNamespace(['shop']))).toBe('NAMESPACE_NOT_EMPTY');
  });

  test('is committed to by PyIceberg, and PyIceberg reads ours', async () => {
    const { catalog, account } = await withTable();
    await set(catalog, 'a');
    const properties = { type: 'glue', ...glue.options, 'glue.access-key-id': account };
    const theirs = await python<{ before: string; columns: string[] }>(
      'set_property.py',
      JSON.stringify(properties),
      'shop.orders',
      'p',
      'theirs',
    );
    expect(theirs).toEqual({ before: 'a', columns: ['id', 'at', 'tags', 'price'] });
    expect(await valueOf(catalog)).toBe('theirs');
    await set(catalog, 'ours');
    expect(await valueOf(catalog)).toBe('ours');
  });
});

describe('a commit', () => {
  test('whose version was overtaken is a conflict if the table moved, and goes on if something else did', async () => {
    const { catalog, client, entry, account, folder } = await withTable();
    const other = await openIn(folder, account);
    beforeUpdate(() => set(other, 'theirs'));
    expect(await rejectionCode(set(catalog, 'mine'))).toBe('COMMIT_CONFLICT');
    expect(await valueOf(catalog)).toBe('theirs');
    beforeUpdate(async () => {
      const { Parameters, StorageDescriptor } = await entry();
      const TableInput = { Name: 'orders', Description: 'theirs', Parameters, StorageDescriptor };
      await client.send(new UpdateTableCommand({ DatabaseName: 'shop', TableInput }));
    });
    await set(catalog, 'mine');
    expect([await valueOf(catalog), (await entry()).Description]).toEqual(['mine', 'theirs']);
  });

  test('asks for no archive of former versions, and for the version that it has read', async () => {
    const { catalog, entry } = await withTable();
    const { VersionId } = await entry();
    await set(catalog, 'a');
    const update = proxy.seen.find((seen) => targetOf(seen) === 'UpdateTable');
    expect(JSON.parse(update?.body ?? '{}')).toMatchObject({ SkipArchive: true, VersionId });
  });

  test.each<[string, Fate, string | undefined]>([
    ['lost before it arrives', 'drop', undefined],
    ['carried out, and its answer lost', 'lose', 'a'],
    ['answered with 500', refusal('InternalServiceException', 500), undefined],
    ['said to have timed out', refusal('OperationTimeoutException'), undefined],
    ['carried out, and answered with 503', () => ({ status: 503, body: 'busy' }), 'a'],
    ['carried out, and answered with nonsense', () => ({ status: 200, body: '<html>' }), 'a'],
  ])('that is %s has an unknown outcome, and is sent once', async (_, fate, left) => {
    const { catalog, created } = await withTable();
    spoil('UpdateTable', fate);
    expect(await rejectionCode(set(catalog, 'a'))).toBe('COMMIT_STATE_UNKNOWN');
    expect([sent('UpdateTable'), await valueOf(catalog)]).toEqual([1, left]);
    // The file that the entry may point at is there.
    expect(metadataFiles(created)).toHaveLength(2);
  });

  test.each([
    ['ThrottlingException', 'Try again later'],
    ['AccessDeniedException', 'Allow the action in the policy of these credentials'],
    ['ExpiredTokenException', 'Renew the credentials'],
  ])('that is refused with %s has not landed, and leaves no file', async (type, advice) => {
    const { catalog, created } = await withTable();
    spoil('UpdateTable', refusal(type));
    const failure = await failureOf(set(catalog, 'a'));
    expect(failure.code).toBe('CATALOG_UNAVAILABLE');
    expect(failure.message).toContain(`told by the proxy. ${advice}.`);
    expect([sent('UpdateTable'), metadataFiles(created).length]).toEqual([1, 1]);
  });
});

describe('reading', () => {
  test('is tried again while Glue is busy, and follows pages', async () => {
    const { catalog } = await withTable();
    let times = 0;
    proxy.fateOf = (seen) => {
      if (targetOf(seen) !== 'GetTables') return 'pass';
      times += 1;
      if (times === 1) return refusal('ThrottlingException');
      if (seen.body.includes('next')) return 'pass';
      const more = {
        NextToken: 'next',
        TableList: [{ Name: 'zebra', Parameters: { table_type: 'iceberg', metadata_location: '/x' } }],
      };
      return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.1' }, body: JSON.stringify(more) };
    };
    expect((await catalog.listTables(['shop'])).map(({ name }) => name)).toEqual(['orders', 'zebra']);
    expect(times).toBe(3);
  });

  test('of a catalog that cannot be reached, or takes no credentials, names what to change and no secret', async () => {
    const secret = 'canary-secret-of-the-tests';
    const options = { 'glue.endpoint': 'http://127.0.0.1:1', 'glue.secret-access-key': secret };
    const nobody = await failureOf((await openIn(temporaryFolder(), '1', options)).listNamespaces());
    expect([nobody.code, nobody.message]).toEqual([
      'CATALOG_UNAVAILABLE',
      'AWS Glue (http://127.0.0.1:1) does not answer: connect ECONNREFUSED 127.0.0.1:1. Check glue.endpoint and the network.',
    ]);
    const { catalog } = await withTable();
    spoil('GetDatabases', refusal('UnrecognizedClientException', 403));
    const refused = await failureOf(catalog.listNamespaces());
    expect(refused.message).toContain('Correct glue.access-key-id');
    for (const { message } of [nobody, refused]) expect(message).not.toContain(secret);
    const halfKey = openGlueCatalog({
      name: 'x',
      warehouse: '/',
      io: new LocalFileIO({ roots: [] }),
      options: { 'glue.region': 'r', 'glue.access-key-id': 'a' },
    });
    expect((await failureOf(halfKey)).message).toBe(
      'The catalog option glue.secret-access-key is missing beside the access key.',
    );
  });
});

test('a view whose table Glue would write in lower case is refused at apply, and nothing is registered', async () => {
  const cwd = temporaryFolder();
  const options = { ...glue.options, 'glue.access-key-id': String(accounts++) };
  const config = { catalogs: { lake: { type: 'glue' as const, warehouse: `${cwd}/wh`, options } } };
  const moraine = await createMoraine({ cwd, config, fileFolders: [cwd] });
  try {
    writeFileSync(join(cwd, 'rows.csv'), 'sensor,ts,value\n1,2026-01-01T00:00:00Z,10\n');
    await moraine.appendFile('shop.readings', join(cwd, 'rows.csv'), { create: true });
    const sensor = defineEntity({ name: 'sensor', joinKeys: ['sensor'] });
    const view = (name: string) =>
      defineFeatureView({
        name,
        online: true,
        entities: [sensor],
        source: { table: 'shop.readings', timestampField: 'ts' },
        features: [{ name: 'value' }],
      });
    expect(await failureOf(moraine.apply([sensor, view('Climate')]))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'Table name "Climate" cannot be: AWS Glue would write it in lower case.',
    });
    expect(await moraine.views()).toEqual([]);
    await moraine.apply([sensor, view('climate')]);
    expect((await moraine.views()).map(({ name }) => name)).toEqual(['climate']);
  } finally {
    await moraine.close();
  }
});

describe('renaming takes two steps', () => {
  const NEW: TableIdentifier = { namespace: ['shop'], name: 'sales' };

  test('a commit to the old name in between is not lost', async () => {
    const { catalog, folder, account } = await withTable();
    const other = await openIn(folder, account);
    beforeUpdate(() => set(other, 'theirs'));
    await catalog.renameTable(TABLE, NEW);
    expect((await catalog.loadTable(NEW)).metadata.properties.get('p')).toBe('theirs');
    expect(await catalog.listTables(['shop'])).toEqual([NEW]);
  });

  test.each([
    ['UpdateTable', ['orders', 'sales']],
    ['DeleteTable', ['sales']],
  ])('whose %s fails is of unknown outcome, and says what to look at', async (target, names) => {
    const { catalog } = await withTable();
    spoil(target, 'drop');
    const failure = await failureOf(catalog.renameTable(TABLE, NEW));
    expect(failure.code).toBe('COMMIT_STATE_UNKNOWN');
    expect(failure.message).toContain('Look whether shop.orders is still there, and drop shop.sales if so.');
    proxy.fateOf = () => 'pass';
    expect((await catalog.listTables(['shop'])).map(({ name }) => name)).toEqual(names);
    if (!names.includes('orders')) expect(await rejectionCode(set(catalog, 'a'))).toBe('TABLE_NOT_FOUND');
  });
});
