/** Nessie's Iceberg REST catalog, on a real server. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalog, type LoadedTable, openRestCatalog, type TableIdentifier } from '../../catalogs/index.js';
import { type Schema, schemaOfSnapshot, type TableUpdate } from '../../iceberg/index.js';
import { openStorage } from '../../storage/index.js';
import { describeCatalogBehavior } from '../conformance/catalog-behavior.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { type Fate, startFaultyProxy } from '../support/faulty-proxy.js';
import { type NessieServer, startNessie } from '../support/nessie-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';

let s3: S3Server;
let nessie: NessieServer;
beforeAll(async () => {
  s3 = await startS3Server();
  await s3.makeBucket('lake');
  nessie = await startNessie(s3, 's3://lake/nessie');
});
afterAll(async () => {
  await nessie.close();
  await s3.close();
});

const openBranch = (branch: string): Promise<Catalog> => openRestCatalog({ name: 'test', uri: nessie.uriOf(branch) });

async function emptyBranch(): Promise<string> {
  const name = `b-${randomUUID()}`;
  await nessie.makeReference(name);
  return name;
}

describeCatalogBehavior(
  'Nessie catalog',
  async () => {
    const branch = await emptyBranch();
    const reopen = () => openBranch(branch);
    const io = await openStorage({ roots: ['s3://lake'], options: s3.options });
    return { catalog: await reopen(), reopen, folder: 's3://lake/nessie', io };
  },
  { isServer: true, isNessie: true, refusedNames: ['.', '..', 'new\nline'] },
);

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'id', required: true, type: { kind: 'long' } }],
};
const ORDERS: TableIdentifier = { namespace: ['shop'], name: 'orders' };

/** A commit of one snapshot on the state that a client sees; the sequence number of the snapshot is `step` more than the last one. */
async function append(catalog: Catalog, id: bigint, identifier = ORDERS, step = 1n): Promise<LoadedTable> {
  const { metadata } = await catalog.loadTable(identifier);
  const snapshot = {
    snapshotId: id,
    sequenceNumber: metadata.lastSequenceNumber + step,
    timestampMs: 1_700_000_000_000n + id,
    manifestList: `s3://lake/none/${id}.avro`,
    summary: new Map([['operation', 'append']]),
    schemaId: metadata.currentSchemaId,
    ...(metadata.currentSnapshotId === null ? {} : { parentSnapshotId: metadata.currentSnapshotId }),
  };
  return await catalog.commitTable(identifier, {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: metadata.currentSnapshotId }],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: id } },
    ],
  });
}

const setProperty = (catalog: Catalog, value: string) =>
  catalog.commitTable(ORDERS, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: new Map([['key', value]]) }],
  });

/** Snapshots with their parents, oldest first. */
const chain = ({ metadata }: LoadedTable) =>
  metadata.snapshots.map(({ snapshotId, parentSnapshotId }) => [snapshotId, parentSnapshotId ?? null]);

async function withTable() {
  const branch = await emptyBranch();
  const catalog = await openBranch(branch);
  await catalog.createNamespace(['shop']);
  const created = await catalog.createTable(ORDERS, { schema: SCHEMA });
  /** What somebody else sees. */
  const fresh = async (options?: Readonly<Record<string, string>>, at = branch) =>
    await openRestCatalog({ name: 'test', uri: nessie.uriOf(at), ...(options === undefined ? {} : { options }) });
  const seen = async (identifier = ORDERS) => chain(await (await fresh()).loadTable(identifier));
  const hashOf = async (name: string) =>
    ((await nessie.call('GET', `trees/${name}`))['reference'] as { readonly hash: string }).hash;
  return { branch, catalog, created, fresh, seen, hashOf };
}

describe('snapshots of a table in Nessie', () => {
  test('are those of its commits, for who made them and for others, whatever else was committed between them', async () => {
    const { catalog, fresh, seen } = await withTable();
    const expected: (bigint | null)[][] = [];
    for (let id = 1n; id <= 12n; id += 1n) {
      const committed = await append(catalog, id);
      expected.push([id, id === 1n ? null : id - 1n]);
      expect(chain(committed)).toEqual(expected);
      if (id % 3n === 0n) await setProperty(catalog, String(id));
      if (id === 5n) await catalog.createTable({ namespace: ['shop'], name: 'other' }, { schema: SCHEMA });
    }
    expect(await seen()).toEqual(expected);
    const { metadata } = await (await fresh()).loadTable(ORDERS);
    expect(metadata.snapshotLog).toEqual(
      metadata.snapshots.map(({ snapshotId, timestampMs }) => ({ snapshotId, timestampMs })),
    );
    expect(metadata).toEqual((await catalog.loadTable(ORDERS)).metadata);
    // Who knows some of them asks for the others.
    const follower = await fresh();
    await follower.loadTable(ORDERS);
    await append(catalog, 13n);
    await append(catalog, 14n);
    expect(chain(await follower.loadTable(ORDERS))).toEqual([...expected, [13n, 12n], [14n, 13n]]);
  });

  test('as many are looked for as the configuration says; the parent of the oldest is not made up', async () => {
    const { catalog, fresh } = await withTable();
    for (let id = 1n; id <= 6n; id += 1n) await append(catalog, id);
    const few = await fresh({ 'nessie.max-snapshots': '3' });
    expect(chain(await few.loadTable(ORDERS))).toEqual([
      [4n, -2n],
      [5n, 4n],
      [6n, 5n],
    ]);
    await append(catalog, 7n);
    expect(chain(await few.loadTable(ORDERS))).toEqual([
      [5n, 4n],
      [6n, 5n],
      [7n, 6n],
    ]);
  });

  test('stay when the table is renamed, and end where another table had its name', async () => {
    const { catalog, seen } = await withTable();
    await append(catalog, 1n);
    await append(catalog, 2n);
    const renamed = { namespace: ['archive', 'old'], name: "it's 100%" };
    await catalog.createNamespace(renamed.namespace);
    await catalog.renameTable(ORDERS, renamed);
    await append(catalog, 3n, renamed);
    expect(await seen(renamed)).toEqual([
      [1n, null],
      [2n, 1n],
      [3n, 2n],
    ]);
    await catalog.createTable(ORDERS, { schema: SCHEMA });
    await append(catalog, 4n);
    expect(await seen()).toEqual([[4n, null]]);
    await catalog.dropTable(ORDERS);
    await catalog.createTable(ORDERS, { schema: SCHEMA });
    await append(catalog, 5n);
    expect(await seen()).toEqual([[5n, null]]);
  });

  test('of a branch that was merged are those of that branch', async () => {
    const { branch, catalog, seen, fresh, hashOf } = await withTable();
    await append(catalog, 1n);
    const target = await hashOf(branch);
    await nessie.makeReference(`${branch}-work`, branch);
    const work = await fresh(undefined, `${branch}-work`);
    await append(work, 2n);
    await append(work, 3n);
    const merged = { fromRefName: `${branch}-work`, fromHash: await hashOf(`${branch}-work`) };
    await nessie.call('POST', `trees/${branch}@${target}/history/merge`, merged);
    const expected = [
      [1n, null],
      [2n, 1n],
      [3n, 2n],
    ];
    expect(await seen()).toEqual(expected);
    // Also for who knew the table before.
    expect(chain(await catalog.loadTable(ORDERS))).toEqual(expected);
    await append(catalog, 4n);
    expect(await seen()).toEqual([...expected, [4n, 3n]]);
  });

  test('of another branch that took the place of the own ones by force do not follow them', async () => {
    const { branch, catalog, seen, fresh, hashOf } = await withTable();
    await append(catalog, 1n);
    await nessie.makeReference(`${branch}-work`, branch);
    const work = await fresh(undefined, `${branch}-work`);
    await append(work, 22n);
    await append(work, 23n);
    await append(catalog, 2n);
    // 23 has the next sequence number after 2, and was not made on it.
    const merged = {
      fromRefName: `${branch}-work`,
      fromHash: await hashOf(`${branch}-work`),
      defaultKeyMergeMode: 'FORCE',
    };
    await nessie.call('POST', `trees/${branch}@${await hashOf(branch)}/history/merge`, merged);
    expect(await seen()).toEqual([
      [1n, null],
      [22n, 1n],
      [23n, 22n],
    ]);
  });

  test('that were transplanted have a parent that nobody knows', async () => {
    const { branch, catalog, seen, fresh, hashOf } = await withTable();
    await append(catalog, 1n);
    await nessie.makeReference(`${branch}-work`, branch);
    const work = await fresh(undefined, `${branch}-work`);
    await append(work, 22n);
    await append(work, 23n);
    await append(catalog, 2n);
    const transplanted = {
      fromRefName: `${branch}-work`,
      hashesToTransplant: [await hashOf(`${branch}-work`)],
      defaultKeyMergeMode: 'FORCE',
    };
    await nessie.call('POST', `trees/${branch}@${await hashOf(branch)}/history/transplant`, transplanted);
    expect(await seen()).toEqual([[23n, -2n]]);
    expect(chain(await catalog.loadTable(ORDERS))).toEqual([[23n, -2n]]);
  });

  test('that left out a sequence number, since others came between in the same commit, have a parent that nobody knows', async () => {
    const { catalog, seen } = await withTable();
    await append(catalog, 1n);
    await append(catalog, 3n, ORDERS, 2n);
    await append(catalog, 4n);
    expect(await seen()).toEqual([
      [3n, -2n],
      [4n, 3n],
    ]);
  });

  test('are those that can still be had: states that garbage collection took are none, a server that is busy is an error', async () => {
    const { branch, catalog, hashOf } = await withTable();
    const hashes: string[] = [];
    for (let id = 1n; id <= 4n; id += 1n) {
      await append(catalog, id);
      hashes.push(await hashOf(branch));
    }
    const proxy = await startFaultyProxy(nessie.address);
    const loadWith = async (fate: (path: string) => Fate) => {
      proxy.fateOf = ({ path }) => fate(decodeURIComponent(path));
      const other = await openRestCatalog({ name: 'test', uri: `${proxy.address}/iceberg/${branch}` });
      return await other.loadTable(ORDERS);
    };
    const answer = (status: number, type: string) => ({
      status,
      body: JSON.stringify({ error: { message: 'The specified key does not exist', type, code: status } }),
    });
    for (const gone of [
      answer(404, 'NoSuchTableException'),
      answer(400, 'IllegalArgumentException'),
      answer(500, 'RuntimeException'),
    ]) {
      const table = await loadWith((path) => (path.includes(`/v1/@${hashes[1] ?? ''}/`) ? gone : 'pass'));
      expect(chain(table), String(gone.status)).toEqual([
        [3n, -2n],
        [4n, 3n],
      ]);
    }
    const busy = loadWith((path) => (path.includes(`/v1/@${hashes[1] ?? ''}/`) ? answer(503, 'Busy') : 'pass'));
    expect(await rejectionCode(busy)).toBe('CATALOG_UNAVAILABLE');
    // A log that does not tell of the table at all.
    const silent = { status: 200, body: JSON.stringify({ logEntries: [], hasMore: false }) };
    expect(chain(await loadWith((path) => (path.includes('/history?') ? silent : 'pass')))).toEqual([[4n, -2n]]);
    await proxy.close();
  });

  test('are read with the schemas that they were written by', async () => {
    const { catalog, fresh } = await withTable();
    await append(catalog, 1n);
    const { metadata } = await catalog.loadTable(ORDERS);
    const schema: Schema = {
      ...SCHEMA,
      schemaId: 1,
      fields: [...SCHEMA.fields, { id: 2, name: 'note', required: false, type: { kind: 'string' } }],
    };
    await catalog.commitTable(ORDERS, {
      requirements: [{ type: 'assert-current-schema-id', currentSchemaId: metadata.currentSchemaId }],
      updates: [
        { action: 'add-schema', schema, lastColumnId: 2 },
        { action: 'set-current-schema', schemaId: -1 },
      ],
    });
    await append(catalog, 2n);
    const evolved = (await (await fresh()).loadTable(ORDERS)).metadata;
    const columns = evolved.snapshots.map((each) => schemaOfSnapshot(evolved, each).fields.map(({ name }) => name));
    expect(columns).toEqual([['id'], ['id', 'note']]);
  });
});

describe('commits to a table in Nessie', () => {
  test('are made on the state that was checked', async () => {
    const { branch, catalog } = await withTable();
    const proxy = await startFaultyProxy(nessie.address);
    const proxied = await openRestCatalog({ name: 'test', uri: `${proxy.address}/iceberg/${branch}` });
    await append(catalog, 1n);
    // Somebody commits after the look at the table, and before the commit.
    let isFirst = true;
    proxy.fateOf = async ({ method }): Promise<Fate> => {
      if (method !== 'POST' || !isFirst) return 'pass';
      isFirst = false;
      await setProperty(catalog, 'between');
      return 'pass';
    };
    expect(await rejectionCode(setProperty(proxied, 'late'))).toBe('COMMIT_CONFLICT');
    expect((await catalog.loadTable(ORDERS)).metadata.properties.get('key')).toBe('between');
    await proxy.close();
  });

  test('whose answer is lost are of unknown outcome, are sent once, and are found afterwards', async () => {
    const { branch, catalog } = await withTable();
    const proxy = await startFaultyProxy(nessie.address);
    const proxied = await openRestCatalog({ name: 'test', uri: `${proxy.address}/iceberg/${branch}` });
    await append(catalog, 1n);
    for (const [fate, landed] of [
      ['lose', true],
      ['drop', false],
    ] as const) {
      proxy.seen.length = 0;
      proxy.fateOf = ({ method }) => (method === 'POST' ? fate : 'pass');
      const id = landed ? 2n : 3n;
      expect(await rejectionCode(append(proxied, id)), fate).toBe('COMMIT_STATE_UNKNOWN');
      expect(proxy.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
      expect(chain(await proxied.loadTable(ORDERS)).some(([each]) => each === id)).toBe(landed);
    }
    await proxy.close();
  });

  test('that Nessie would take without doing them are refused, and change nothing', async () => {
    const { catalog } = await withTable();
    await append(catalog, 1n);
    await append(catalog, 2n);
    const before = await catalog.loadTable(ORDERS);
    const updates: readonly TableUpdate[] = [
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: 1n } },
      { action: 'set-snapshot-ref', refName: 'kept', ref: { type: 'tag', snapshotId: 2n } },
      { action: 'remove-snapshot-ref', refName: 'main' },
      { action: 'remove-snapshots', snapshotIds: [1n] },
      { action: 'set-location', location: 's3://lake/nessie/else' },
      { action: 'upgrade-format-version', formatVersion: 3 },
    ];
    for (const update of updates) {
      const failure = await failureOf(catalog.commitTable(ORDERS, { requirements: [], updates: [update] }));
      expect(failure.code, update.action).toBe('UNSUPPORTED_FEATURE');
      expect(failure.message).toContain(update.action);
    }
    expect(await catalog.loadTable(ORDERS)).toEqual(before);
  });

  test('go to branches only; tags and earlier states are read', async () => {
    const { branch, catalog, fresh, hashOf } = await withTable();
    await append(catalog, 1n);
    const hash = await hashOf(branch);
    await nessie.makeReference(`${branch}-tag`, `${branch}@${hash}`, 'TAG');
    await append(catalog, 2n);
    for (const at of [`${branch}-tag`, `${branch}@${hash}`, `@${hash}`]) {
      const fixed = await fresh(undefined, at);
      expect(chain(await fixed.loadTable(ORDERS)), at).toEqual([[1n, null]]);
      expect(await rejectionCode(append(fixed, 3n)), at).toBe('INVALID_ARGUMENT');
    }
    expect(chain(await catalog.loadTable(ORDERS))).toEqual([
      [1n, null],
      [2n, 1n],
    ]);
  });

  test('a warehouse is named with the branch, and is kept', async () => {
    const { branch, catalog } = await withTable();
    await append(catalog, 1n);
    const named = await openRestCatalog({ name: 'test', uri: nessie.uriOf(branch), warehouse: 'lake' });
    await append(named, 2n);
    expect(chain(await named.loadTable(ORDERS))).toEqual([
      [1n, null],
      [2n, 1n],
    ]);
    expect(named.fileOwner).toBe("Nessie's garbage collection (nessie-gc)");
  });

  test('a branch that does not exist is named', async () => {
    const missing = await openBranch('no-such-branch');
    const failure = await failureOf(missing.loadTable(ORDERS));
    expect(failure.message).toContain("'no-such-branch' not found");
  });
});
