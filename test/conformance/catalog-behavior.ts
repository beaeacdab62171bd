/**
 * The behaviour of every catalog. A test file of a catalog calls {@link describeCatalogBehavior} with the means to open it.
 */
import { dirname } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Catalog, CommitRequest, LoadedTable, TableIdentifier } from '../../catalogs/index.js';
import { isMoraineError } from '../../errors/index.js';
import {
  type PartitionSpec,
  type Schema,
  type Snapshot,
  type TableMetadata,
  tableMetadataToJson,
} from '../../iceberg/index.js';
import { comparableLocation } from '../../locations/index.js';
import { type FileIO, listFiles } from '../../storage/index.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { describeSeveralTablesBehavior } from './several-tables-behavior.js';

export interface CatalogUnderTest {
  readonly catalog: Catalog;
  /** Another client of the same catalog. */
  readonly reopen: () => Promise<Catalog>;
  /** A folder that tables may be put in explicitly. */
  readonly folder: string;
  /** The storage that the tables' metadata is in. */
  readonly io: FileIO;
}

/** In what catalogs differ, as far as their interface leaves it open. */
export interface CatalogTraits {
  /** A server writes metadata files, puts tables where it likes, and adds properties of its own. */
  readonly isServer?: boolean;
  /** Names that it cannot have. */
  readonly refusedNames?: readonly string[];
  /** Its namespaces have one level, and it would write names in lower case. */
  readonly isHive?: boolean;
  /** It chooses the location of every table, has no format version 3, keeps no log of metadata files, and answers a commit with an address instead of a file. */
  readonly isNessie?: boolean;
}

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 7, name: 'id', required: true, type: { kind: 'long' } },
    { id: 9, name: 'data', required: false, type: { kind: 'string' } },
  ],
};

const BY_ID: PartitionSpec = {
  specId: 0,
  fields: [{ sourceId: 7, fieldId: 1000, name: 'id_bucket', transform: { kind: 'bucket', numBuckets: 4 } }],
};

const NS = ['shop'];
const ORDERS: TableIdentifier = { namespace: NS, name: 'orders' };

const HOSTILE_NAMES = [
  'a.b',
  'quote"d',
  "it's",
  'semi;--',
  'new\nline',
  'slash/es',
  '..',
  '.',
  '*[?]',
  '__proto__',
  'ünï',
  '%2e%2e',
  ' ',
  'a'.repeat(255),
];

function snapshot(snapshotId: bigint, sequenceNumber: bigint): Snapshot {
  const summary = new Map([['operation', 'append']]);
  return { snapshotId, sequenceNumber, timestampMs: BigInt(Date.now()), manifestList: '/none', summary, schemaId: 0 };
}

/** A commit that makes a snapshot the current one, if `parent` still is. */
function commitOf(table: LoadedTable, parent: bigint | null, next: bigint): CommitRequest {
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: table.metadata.tableUuid },
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: parent },
    ],
    updates: [
      { action: 'add-snapshot', snapshot: snapshot(next, table.metadata.lastSequenceNumber + 1n) },
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: next } },
    ],
  };
}

const setProperties = (updates: Record<string, string>): CommitRequest => ({
  requirements: [],
  updates: [{ action: 'set-properties', updates: new Map(Object.entries(updates)) }],
});

/** Files of the table's metadata folder that are metadata files. */
async function metadataFiles(io: FileIO, table: LoadedTable): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { location } of listFiles(io, dirname(table.metadataLocation))) {
    if (location.endsWith('.metadata.json')) found.push(location);
  }
  return found.sort();
}

/** Those besides the one that every Hive metastore has. */
const namespaces = async (catalog: Catalog) =>
  (await catalog.listNamespaces()).filter((levels) => levels.join('.') !== 'default');

const exists = (io: FileIO, location: string): Promise<boolean> =>
  io.stat(location).then(
    () => true,
    () => false,
  );

/** Runs the suite. `open` gives a fresh, empty catalog; it is called in every test. */
export function describeCatalogBehavior(
  name: string,
  open: () => Promise<CatalogUnderTest>,
  { isServer = false, refusedNames = [], isHive = false, isNessie = false }: CatalogTraits = {},
): void {
  /** Of properties of which a server may have added some: those that were given. */
  const given = (properties: ReadonlyMap<string, string>, asked: ReadonlyMap<string, string>) =>
    isServer ? new Map([...properties].filter(([key]) => asked.has(key))) : properties;

  /** A test of logs of metadata files, and of their names. */
  const testLog = (title: string, body: () => Promise<void>): void => {
    if (!isNessie) test(title, body);
  };

  /** A test of what servers do in their own way. */
  const testOwnFiles = (title: string, body: () => Promise<void>): void => {
    if (!isServer) test(title, body);
  };

  async function inOneLevel({ catalog, folder }: CatalogUnderTest): Promise<void> {
    const properties = new Map([
      ['owner', "o'x"],
      ['comment', 'theirs'],
    ]);
    const location = `${folder}/elsewhere`;
    await catalog.createNamespace(['a'], new Map([...properties, ['location', location]]));
    await catalog.createNamespace(['ab']);
    expect(await rejectionCode(catalog.createNamespace(['a', 'b']))).toBe('INVALID_ARGUMENT');
    expect(await namespaces(catalog)).toEqual([['a'], ['ab']]);
    expect(await catalog.listNamespaces(['a'])).toEqual([]);
    const { location: place = '', ...others } = Object.fromEntries(await catalog.loadNamespaceProperties(['a']));
    expect(others).toEqual(Object.fromEntries(properties));
    expect(comparableLocation(place)).toBe(location);
    await catalog.dropNamespace(['ab']);
    expect(await namespaces(catalog)).toEqual([['a']]);
  }

  async function withNamespace(): Promise<CatalogUnderTest> {
    const opened = await open();
    await opened.catalog.createNamespace(NS);
    return opened;
  }

  describe(`${name}: namespaces`, () => {
    test('a new catalog has none', async () => {
      const { catalog } = await open();
      expect(await namespaces(catalog)).toEqual([]);
      expect(await catalog.namespaceExists(['x'])).toBe(false);
    });

    test('are created with properties, listed level by level, and dropped', async () => {
      const opened = await open();
      if (isHive) return await inOneLevel(opened);
      const { catalog } = opened;
      await catalog.createNamespace(['a'], new Map([['owner', "o'x"]]));
      await catalog.createNamespace(['a', 'b', 'c']);
      await catalog.createNamespace(['ab']);
      expect(await catalog.listNamespaces()).toEqual([['a'], ['ab']]);
      expect(await catalog.listNamespaces(['a'])).toEqual([['a', 'b']]);
      expect(await catalog.listNamespaces(['a', 'b'])).toEqual([['a', 'b', 'c']]);
      const owner = new Map([['owner', "o'x"]]);
      expect(given(await catalog.loadNamespaceProperties(['a']), owner)).toEqual(owner);
      expect(given(await catalog.loadNamespaceProperties(['ab']), owner)).toEqual(new Map());
      await catalog.dropNamespace(['ab']);
      expect(await catalog.listNamespaces()).toEqual([['a']]);
    });

    test('names are told apart by case and wildcard characters', async () => {
      const { catalog } = await open();
      await catalog.createNamespace(['a_c']);
      expect(await catalog.namespaceExists(['abc'])).toBe(false);
      if (isHive) {
        expect(await rejectionCode(catalog.namespaceExists(['A_C']))).toBe('INVALID_ARGUMENT');
        return;
      }
      expect(await catalog.namespaceExists(['A_C'])).toBe(false);
      await catalog.createNamespace(['a%', 'x']);
      expect(await catalog.namespaceExists(['abc'])).toBe(false);
    });

    test('one that exists, is missing, or is in use is an error', async () => {
      const { catalog } = await withNamespace();
      expect(await rejectionCode(catalog.createNamespace(NS))).toBe('NAMESPACE_ALREADY_EXISTS');
      expect(await rejectionCode(catalog.dropNamespace(['none']))).toBe('NAMESPACE_NOT_FOUND');
      expect(await rejectionCode(catalog.listTables(['none']))).toBe('NAMESPACE_NOT_FOUND');
      expect(await rejectionCode(catalog.loadNamespaceProperties(['none']))).toBe('NAMESPACE_NOT_FOUND');
      await catalog.createTable(ORDERS, { schema: SCHEMA });
      expect(await rejectionCode(catalog.dropNamespace(NS))).toBe('NAMESPACE_NOT_EMPTY');
      expect(await catalog.namespaceExists(NS)).toBe(true);
    });
  });

  describe(`${name}: tables`, () => {
    test('a created table has version 2, fresh ids and a location of its own', async () => {
      const { catalog } = await withNamespace();
      const properties = new Map([['p', 'v']]);
      const created = await catalog.createTable(ORDERS, { schema: SCHEMA, partitionSpec: BY_ID, properties });
      const { metadata } = created;
      expect(metadata.formatVersion).toBe(2);
      expect(metadata.schemas[0]?.fields.map(({ id, name: column }) => [id, column])).toEqual([
        [1, 'id'],
        [2, 'data'],
      ]);
      expect(metadata.partitionSpecs[0]?.fields[0]?.sourceId).toBe(1);
      expect(metadata.lastColumnId).toBe(2);
      expect(given(metadata.properties, properties)).toEqual(properties);
      expect(metadata.location).toMatch(/shop.*orders/);
      expect(created.metadataLocation).toMatch(/\/metadata\/00000-[0-9a-f-]{36}\.metadata\.json$/);
      expect((await catalog.loadTable(ORDERS)).metadata).toEqual(metadata);
    });

    test('another client sees the same table, read from storage', async () => {
      const { catalog, reopen } = await withNamespace();
      const location = await catalog.newTableLocation(ORDERS);
      const created = await catalog.createTable(ORDERS, { schema: SCHEMA });
      if (!isNessie) expect(created.metadata.location).toBe(location);
      const loaded = await (await reopen()).loadTable(ORDERS);
      expect(loaded.metadata.tableUuid).toBe(created.metadata.tableUuid);
      expect(loaded.metadataLocation).toBe(created.metadataLocation);
      expect(await (await reopen()).listTables(NS)).toEqual([ORDERS]);
    });

    testOwnFiles(
      'a table that takes the name of a renamed one gets a folder of its own, and so does every one after it',
      async () => {
        const { catalog } = await withNamespace();
        const locations: string[] = [];
        for (const moved of ['first', 'second', 'third']) {
          const expected = await catalog.newTableLocation(ORDERS);
          const { metadata } = await catalog.createTable(ORDERS, { schema: SCHEMA });
          expect([metadata.location, await catalog.newTableLocation(ORDERS)]).toEqual([expected, expected]);
          locations.push(metadata.location);
          await catalog.renameTable(ORDERS, { namespace: NS, name: moved });
        }
        const [first = ''] = locations;
        expect(locations).toEqual([first, `${first}-2`, `${first}-3`]);
        await catalog.dropTable({ namespace: NS, name: 'first' });
        expect(await catalog.newTableLocation(ORDERS)).toBe(first);
      },
    );

    test('two clients of one catalog have its id, and it is no sibling of itself', async () => {
      const { catalog, reopen } = await withNamespace();
      await catalog.createTable(ORDERS, { schema: SCHEMA });
      const other = await reopen();
      expect(other.id).toBe(catalog.id);
      expect(await other.siblings()).toEqual([]);
    });

    test('creating: the location is honoured; an existing name and a missing namespace are errors', async () => {
      const { catalog, folder } = await withNamespace();
      const elsewhere = { schema: SCHEMA, location: `${folder}/elsewhere/` };
      if (isNessie) expect(await rejectionCode(catalog.createTable(ORDERS, elsewhere))).toBe('UNSUPPORTED_FEATURE');
      const created = await catalog.createTable(ORDERS, isNessie ? { schema: SCHEMA } : elsewhere);
      if (!isNessie) expect(created.metadata.location).toBe(`${folder}/elsewhere`);
      expect(await rejectionCode(catalog.createTable(ORDERS, { schema: SCHEMA }))).toBe('TABLE_ALREADY_EXISTS');
      const nanoseconds: Schema = {
        ...SCHEMA,
        fields: [{ id: 1, name: 'at', required: false, type: { kind: 'timestamp_ns' } }],
      };
      const named = (name: string) => ({ namespace: NS, name });
      const misfit = catalog.createTable(named('v2'), { schema: nanoseconds });
      expect(await rejectionCode(misfit)).toBe('SCHEMA_INVALID');
      const third = catalog.createTable(named('v3'), { schema: nanoseconds, formatVersion: 3 });
      if (isNessie) expect(await rejectionCode(third)).toBe('INVALID_ARGUMENT');
      else expect((await third).metadata.formatVersion).toBe(3);
      const nowhere = { namespace: ['none'], name: 't' };
      expect(await rejectionCode(catalog.newTableLocation(nowhere))).toBe('NAMESPACE_NOT_FOUND');
      expect(await rejectionCode(catalog.createTable(nowhere, { schema: SCHEMA }))).toBe('NAMESPACE_NOT_FOUND');
      expect((await catalog.loadTable(ORDERS)).metadata.tableUuid).toBe(created.metadata.tableUuid);
    });

    test('of many that create one table at once exactly one wins', async () => {
      const { catalog, reopen } = await withNamespace();
      const clients = [catalog, await reopen(), await reopen()];
      const results = await Promise.allSettled(
        Array.from({ length: 9 }, (_, i) => (clients[i % 3] ?? catalog).createTable(ORDERS, { schema: SCHEMA })),
      );
      const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(winners).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'fulfilled') continue;
        // Servers may fail where they lose a race with themselves.
        const isUnknown = isServer && isMoraineError(result.reason, 'COMMIT_STATE_UNKNOWN');
        if (!isUnknown) expect(result.reason).toMatchObject({ code: 'TABLE_ALREADY_EXISTS' });
      }
      expect((await catalog.loadTable(ORDERS)).metadata.tableUuid).toBe(winners[0]?.metadata.tableUuid);
    });

    test('a missing table is TABLE_NOT_FOUND everywhere', async () => {
      const { catalog } = await withNamespace();
      expect(await catalog.tableExists(ORDERS)).toBe(false);
      expect(await rejectionCode(catalog.loadTable(ORDERS))).toBe('TABLE_NOT_FOUND');
      expect(await rejectionCode(catalog.dropTable(ORDERS))).toBe('TABLE_NOT_FOUND');
      expect(await rejectionCode(catalog.commitTable(ORDERS, setProperties({ a: 'b' })))).toBe('TABLE_NOT_FOUND');
      const rename = catalog.renameTable(ORDERS, { namespace: NS, name: 'other' });
      expect(await rejectionCode(rename)).toBe('TABLE_NOT_FOUND');
    });

    test.each(HOSTILE_NAMES.filter((each) => !refusedNames.includes(each)))(
      'a table named %j is created, listed, committed to and dropped',
      async (tableName) => {
        const { catalog, reopen } = await withNamespace();
        const identifier = { namespace: NS, name: tableName };
        const neighbour = await catalog.createTable({ namespace: NS, name: 'neighbour' }, { schema: SCHEMA });
        const created = await catalog.createTable(identifier, { schema: SCHEMA });
        if (!isServer) expect(dirname(created.metadata.location)).toBe(dirname(neighbour.metadata.location));
        expect(await (await reopen()).listTables(NS)).toContainEqual(identifier);
        await catalog.commitTable(identifier, setProperties({ [tableName]: tableName }));
        const loaded = await (await reopen()).loadTable(identifier);
        expect(loaded.metadata.properties.get(tableName)).toBe(tableName);
        await catalog.dropTable(identifier);
        expect(await catalog.listTables(NS)).toEqual([{ namespace: NS, name: 'neighbour' }]);
      },
    );

    test.each<[string, string]>([
      ['', 'an empty name'],
      ['a\0b', 'NUL'],
      ['a'.repeat(256), 'a name too long'],
      ...refusedNames.map((each): [string, string] => [each, 'a name that this catalog cannot have']),
    ])('%j is refused (%s)', async (tableName) => {
      const { catalog } = await withNamespace();
      const created = catalog.createTable({ namespace: NS, name: tableName }, { schema: SCHEMA });
      expect(await rejectionCode(created)).toBe('INVALID_ARGUMENT');
    });

    test('names that differ in punctuation only do not share a location', async () => {
      const { catalog } = await withNamespace();
      const locations = new Set<string>();
      const names = ['a/b', 'a_b', 'a.b', 'a b', isHive ? 'a:b' : 'A_b'];
      for (const tableName of names.filter((each) => !refusedNames.includes(each))) {
        const { metadata } = await catalog.createTable({ namespace: NS, name: tableName }, { schema: SCHEMA });
        locations.add(metadata.location);
      }
      expect(locations.size).toBe(names.filter((each) => !refusedNames.includes(each)).length);
    });

    test('drop forgets the name and keeps the files; a table made again has another uuid', async () => {
      const { catalog, io } = await withNamespace();
      const first = await catalog.createTable(ORDERS, { schema: SCHEMA });
      await catalog.dropTable(ORDERS);
      expect(await catalog.tableExists(ORDERS)).toBe(false);
      expect(await exists(io, first.metadataLocation)).toBe(true);
      const second = await catalog.createTable(ORDERS, { schema: SCHEMA });
      expect(second.metadata.tableUuid).not.toBe(first.metadata.tableUuid);
      expect(await rejectionCode(catalog.commitTable(ORDERS, commitOf(first, null, 1n)))).toBe('TABLE_REPLACED');
    });

    test('register points a name at an existing metadata file', async () => {
      const { catalog } = await withNamespace();
      const first = await catalog.createTable(ORDERS, { schema: SCHEMA });
      await catalog.dropTable(ORDERS);
      const again = { namespace: NS, name: 'again' };
      const registered = await catalog.registerTable(again, first.metadataLocation);
      expect(registered.metadata.tableUuid).toBe(first.metadata.tableUuid);
      expect(await rejectionCode(catalog.registerTable(again, first.metadataLocation))).toBe('TABLE_ALREADY_EXISTS');
      const missing = catalog.registerTable(ORDERS, `${first.metadata.location}/none.metadata.json`);
      expect(await rejectionCode(missing)).toBe(isNessie ? 'INVALID_ARGUMENT' : 'FILE_NOT_FOUND');
      expect(await catalog.tableExists(ORDERS)).toBe(false);
    });

    test('rename moves the name, also to another namespace, and takes no name that is used', async () => {
      const { catalog } = await withNamespace();
      await catalog.createNamespace(['archive']);
      const { metadata } = await catalog.createTable(ORDERS, { schema: SCHEMA });
      const moved = { namespace: ['archive'], name: 'old' };
      await catalog.renameTable(ORDERS, moved);
      expect(await catalog.tableExists(ORDERS)).toBe(false);
      expect((await catalog.loadTable(moved)).metadata).toEqual(metadata);
      await catalog.createTable(ORDERS, { schema: SCHEMA });
      expect(await rejectionCode(catalog.renameTable(ORDERS, moved))).toBe('TABLE_ALREADY_EXISTS');
      const nowhere = catalog.renameTable(ORDERS, { namespace: ['none'], name: 'x' });
      expect(await rejectionCode(nowhere)).toBe('NAMESPACE_NOT_FOUND');
    });
  });

  describe(`${name}: commits`, () => {
    test('updates are applied, seen by others, and the replaced metadata file is logged', async () => {
      const { catalog, reopen } = await withNamespace();
      const created = await catalog.createTable(ORDERS, { schema: SCHEMA });
      const committed = await catalog.commitTable(ORDERS, commitOf(created, null, 11n));
      expect(committed.metadata.currentSnapshotId).toBe(11n);
      if (!isNessie) expect(committed.metadataLocation).toMatch(/\/00001-[0-9a-f-]{36}\.metadata\.json$/);
      const loaded = await (await reopen()).loadTable(ORDERS);
      expect(loaded.metadata.currentSnapshotId).toBe(11n);
      if (isNessie) expect(loaded.metadata.snapshotLog).toEqual(committed.metadata.snapshotLog);
      else
        expect(loaded.metadata.metadataLog).toEqual([
          { metadataFile: created.metadataLocation, timestampMs: created.metadata.lastUpdatedMs },
        ]);
    });

    test('a requirement that does not hold is COMMIT_CONFLICT and changes nothing', async () => {
      const { catalog, io } = await withNamespace();
      const created = await catalog.createTable(ORDERS, { schema: SCHEMA });
      await catalog.commitTable(ORDERS, commitOf(created, null, 11n));
      const files = await metadataFiles(io, created);
      expect(await rejectionCode(catalog.commitTable(ORDERS, commitOf(created, null, 12n)))).toBe('COMMIT_CONFLICT');
      expect((await catalog.loadTable(ORDERS)).metadata.currentSnapshotId).toBe(11n);
      expect(await metadataFiles(io, created)).toEqual(files);
    });

    test('of commits that race for one parent exactly one lands, and losers leave no metadata file', async () => {
      const { catalog, io, reopen } = await withNamespace();
      const created = await catalog.createTable(ORDERS, { schema: SCHEMA });
      const clients = [catalog, await reopen(), await reopen(), await reopen()];
      const results = await Promise.allSettled(
        clients.map((client, i) => client.commitTable(ORDERS, commitOf(created, null, BigInt(100 + i)))),
      );
      const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(winners).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'COMMIT_CONFLICT' });
      }
      const loaded = await (await reopen()).loadTable(ORDERS);
      expect(loaded.metadata.currentSnapshotId).toBe(winners[0]?.metadata.currentSnapshotId);
      if (!isServer) expect(await metadataFiles(io, created)).toHaveLength(2);
    });

    test('ids above 2^53 and hostile property names stay exact', async () => {
      const { catalog, reopen } = await withNamespace();
      const created = await catalog.createTable(ORDERS, { schema: SCHEMA });
      const id = 9_223_372_036_854_775_807n;
      await catalog.commitTable(ORDERS, commitOf(created, null, id));
      await catalog.commitTable(ORDERS, setProperties({ ['__proto__']: 'x', 'a"\n': '\u{1F600}' }));
      const { metadata } = await (await reopen()).loadTable(ORDERS);
      expect(metadata.currentSnapshotId).toBe(id);
      const expected = new Map([
        ['__proto__', 'x'],
        ['a"\n', '\u{1F600}'],
      ]);
      expect(given(metadata.properties, expected)).toEqual(expected);
    });

    testLog(
      'the metadata log keeps as many entries as the table asks for, and old files go only on request',
      async () => {
        const { catalog, io } = await withNamespace();
        const keep = 'write.metadata.previous-versions-max';
        const created = await catalog.createTable(ORDERS, { schema: SCHEMA, properties: new Map([[keep, '2']]) });
        for (let i = 0; i < 4; i++) await catalog.commitTable(ORDERS, setProperties({ n: `${i}` }));
        expect((await catalog.loadTable(ORDERS)).metadata.metadataLog).toHaveLength(2);
        expect(await metadataFiles(io, created)).toHaveLength(5);
        await catalog.commitTable(ORDERS, setProperties({ 'write.metadata.delete-after-commit.enabled': 'true' }));
        const { metadata } = await catalog.commitTable(ORDERS, setProperties({ n: 'last' }));
        expect(metadata.metadataLog).toHaveLength(2);
        for (const entry of metadata.metadataLog) expect(await exists(io, entry.metadataFile)).toBe(true);
      },
    );

    testLog('metadata is compressed and named as Java names it where the table asks for it', async () => {
      const { catalog, io, reopen } = await withNamespace();
      const codec = 'write.metadata.compression-codec';
      const created = await catalog.createTable(ORDERS, { schema: SCHEMA, properties: new Map([[codec, 'gzip']]) });
      const { metadataLocation } = await catalog.commitTable(ORDERS, setProperties({ n: '1' }));
      for (const [location, name] of [
        [created.metadataLocation, /\/00000-[0-9a-f-]{36}\.gz\.metadata\.json$/],
        [metadataLocation, /\/00001-[0-9a-f-]{36}\.gz\.metadata\.json$/],
      ] as const) {
        expect(location).toMatch(name);
        const text = gunzipSync(await io.read(location)).toString();
        expect(JSON.parse(text)).toMatchObject({ 'table-uuid': created.metadata.tableUuid });
      }
      expect((await (await reopen()).loadTable(ORDERS)).metadata.properties.get('n')).toBe('1');
      const plain = await catalog.commitTable(ORDERS, setProperties({ [codec]: 'none' }));
      expect(plain.metadataLocation).toMatch(/\/00002-[0-9a-f-]{36}\.metadata\.json$/);
      expect(JSON.parse(Buffer.from(await io.read(plain.metadataLocation)).toString())).toBeDefined();
    });

    testOwnFiles(
      'a table that was made again with a metadata file of the same name is the new one, also to who knew the old one',
      async () => {
        const { catalog, io, folder } = await withNamespace();
        const location = `${folder}/reused`;
        const metadataLocation = `${location}/metadata/v1.metadata.json`;
        const metadataOf = async (name: string) =>
          (await catalog.createTable({ namespace: NS, name }, { schema: SCHEMA })).metadata;
        const [old, again] = [await metadataOf('one'), await metadataOf('other')];
        const write = (metadata: TableMetadata) =>
          io.create(metadataLocation, new TextEncoder().encode(tableMetadataToJson({ ...metadata, location })));
        await write(old);
        await catalog.registerTable(ORDERS, metadataLocation);
        expect((await catalog.loadTable(ORDERS)).metadata.tableUuid).toBe(old.tableUuid);
        await io.delete(metadataLocation);
        await write(again);
        expect((await catalog.loadTable(ORDERS)).metadata.tableUuid).toBe(again.tableUuid);
        const requirements = [{ type: 'assert-table-uuid' as const, uuid: old.tableUuid }];
        const updates = [{ action: 'set-properties' as const, updates: new Map([['a', 'b']]) }];
        expect(await rejectionCode(catalog.commitTable(ORDERS, { requirements, updates }))).toBe('TABLE_REPLACED');
      },
    );

    testOwnFiles('damaged metadata is an error that names the file', async () => {
      const { catalog, io, reopen } = await withNamespace();
      const created = await catalog.createTable(ORDERS, { schema: SCHEMA });
      const whole = await io.read(created.metadataLocation);
      await io.delete(created.metadataLocation);
      await io.create(created.metadataLocation, whole.subarray(0, 100));
      const truncated = await failureOf((await reopen()).loadTable(ORDERS));
      expect(truncated.code).toBe('METADATA_CORRUPT');
      expect(truncated.message).toContain(created.metadataLocation);
      await io.delete(created.metadataLocation);
      const missing = await failureOf((await reopen()).loadTable(ORDERS));
      expect(missing.code).toBe('FILE_NOT_FOUND');
      expect(missing.message).toContain(created.metadataLocation);
    });
  });

  if (!isHive && !isNessie) describeSeveralTablesBehavior(name, open, isServer);
  else
    test(`${name} commits to one table at a time, and says so`, async () => {
      expect((await open()).catalog.commitTables === undefined).toBe(true);
    });
}
