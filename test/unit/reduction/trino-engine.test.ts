/** What becomes of answers and failures of Trino; with Trino itself: test/servers/trino-engine.test.ts. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Catalog, parseTableName } from '../../../catalogs/index.js';
import { readableScanSql } from '../../../engine/index.js';
import { resolveView } from '../../../features/views/resolve-view.js';
import { currentSchema, currentSnapshot } from '../../../iceberg/index.js';
import type { LatestReduction } from '../../../reduction/index.js';
import { TrinoEngine } from '../../../reduction/trino/trino-engine.js';
import { openScan, planSource } from '../../../scans/index.js';
import { stageRows } from '../../../staging/index.js';
import { commitAppend, type Table } from '../../../tables/index.js';
import { failureOf } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';
import { serveTrino, type TrinoScript } from '../../support/scripted-trino.js';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.levels', { k: 'long', at: 'timestamptz', v: 'long' });
  await lab.append('demo.levels', 'SELECT 1, make_timestamptz(0), 1');
});
afterAll(() => lab.close());

interface Asked {
  readonly catalog?: Catalog;
  readonly version?: string;
  readonly maxStagedBytes?: number;
}

/** The engine that asks a scripted Trino. */
async function engineOn(script?: TrinoScript, { catalog = lab.catalog, version, maxStagedBytes = 10_000 }: Asked = {}) {
  const { uri, statements } = await serveTrino(lab, script, version);
  const settings = { uri, catalogs: new Map(), staging: ['staging'], options: {}, session: {}, maxStagedBytes };
  const resolveTable = (name: string) => Promise.resolve({ catalog, identifier: parseTableName(name).identifier });
  return { trino: new TrinoEngine(settings, { io: lab.io, resolveTable }), uri, statements };
}

/** Has a scripted Trino reduce a table of the lab. */
async function reduce(script?: TrinoScript, catalog = lab.catalog, reads = 1) {
  const name = 'demo.levels';
  const { trino } = await engineOn(script, { catalog });
  const reduction = await reductionOf(name, reads);
  return await lab.engine.withConnection((connection) => trino.reduce(connection, reduction));
}

async function reductionOf(name: string, reads: number): Promise<LatestReduction> {
  const table = await lab.table(name);
  const schema = currentSchema(table.metadata);
  lab.define({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [{ name: 'view', entities: ['thing'], source: { table: name, timestampField: 'at' } }],
  });
  const snapshot = currentSnapshot(table.metadata) ?? expect.unreachable();
  const { files } = await planSource({ table, schema, snapshot });
  const read = {
    snapshotId: snapshot.snapshotId,
    files: files.map(({ file, sequenceNumber }) => ({ path: file.filePath, sequenceNumber })),
    startUs: null,
    endUs: null,
  };
  return {
    kind: 'latest',
    source: { name, table },
    columns: resolveView(lab.definitions, 'view', schema),
    groups: [{ group: 0, keep: 'newest', reads: Array.from({ length: reads }, () => read) }],
  };
}

/** The kinds of staging tables that are left. */
async function leftOvers(): Promise<readonly string[]> {
  if (!(await lab.catalog.namespaceExists(['staging']))) return [];
  return (await lab.catalog.listTables(['staging'])).map(({ name }) => name.split('_')[0] ?? '').sort();
}

test('a reduction without rows leaves nothing once it is released', async () => {
  const reduced = await reduce();
  expect([reduced.rows, await leftOvers()]).toEqual([0n, ['rows']]);
  await reduced.release();
  expect(await leftOvers()).toEqual([]);
});

test('of several statements each is sent when the one before has ended; the first that fails is the last', async () => {
  const sent: string[] = [];
  const error = { errorName: 'REMOTE_TASK_ERROR', errorType: 'INTERNAL_ERROR' };
  const scripted = (failing: number): TrinoScript => {
    sent.length = 0;
    return (sql) => {
      if (!sql.startsWith('INSERT')) return undefined;
      sent.push(sql);
      return sent.length === failing ? { error } : undefined;
    };
  };
  const reduced = await reduce(scripted(0), lab.catalog, 230);
  expect(sent.map((sql) => [...sql.matchAll(/ AS path, \d+ AS r /g)].length)).toEqual([100, 100, 30]);
  expect(new Set(sent.map((sql) => sql.split(' (', 1)[0])).size).toBe(1);
  await reduced.release();
  expect(await failureOf(reduce(scripted(2), lab.catalog, 230))).toMatchObject({ code: 'TRINO_QUERY_FAILED' });
  expect(sent).toHaveLength(2);
  expect(await leftOvers()).toEqual([]);
});

/** Commits rows to the table that an insert names, as a query with an id would. */
async function commitAs(sql: string, queryId: string, rows: number): Promise<void> {
  const [, name] = /^INSERT INTO "[^"]+"."staging"."(rows_\w+)"/.exec(sql) ?? expect.unreachable();
  const table = await lab.table(`staging.${name}`);
  const select = `SELECT 0, range, make_timestamptz(0), range, 1 FROM range(${rows})`;
  await appendAs(table, queryId, select);
}

async function appendAs(table: Table, queryId: string, select: string) {
  const rows = { select, namePrefix: randomUUID() };
  const files = await lab.engine.withConnection((connection) => stageRows(connection, table, rows));
  await commitAppend(table, { files, summary: new Map([['trino_query_id', queryId]]) });
  return files;
}

/** Has each insert commit so many rows under so many ids, and say how many it wrote. */
const writing = (ids: readonly string[], rows: number, says: number | null): TrinoScript => {
  return async (sql) => {
    if (!sql.startsWith('INSERT')) return undefined;
    for (const id of ids) await commitAs(sql, id, rows);
    return says === null ? { id: 'q' } : { id: 'q', updateCount: says };
  };
};

test('what Trino says it wrote counts once the table has it: one snapshot of that query, with as many rows', async () => {
  const reduced = await reduce(writing(['q'], 5, 5));
  expect([reduced.rows, reduced.table.metadata.snapshots.length]).toEqual([5n, 1]);
  await reduced.release();
  // Some versions may commit a snapshot without rows.
  const none = await reduce(writing(['q'], 0, 0));
  expect([none.rows, none.table.metadata.snapshots.length]).toEqual([0n, 1]);
  await none.release();
  expect(await leftOvers()).toEqual([]);
});

test.each([
  ['no snapshot, though 5 rows were written', [], 0, 5, /has no snapshot of query q, which wrote 5 rows: the catalog/],
  ['the snapshot of another query', ['other'], 5, 5, /was written by other, not by query q alone\.$/],
  ['also that of another query', ['q', 'other'], 5, 5, /was written by q, other, not by query q alone\.$/],
  ['two snapshots', ['q', 'q'], 5, 5, /has 2 snapshots of query q, which commits once\.$/],
  ['fewer rows', ['q'], 4, 5, /has 4 rows of query q, which wrote 5\.$/],
  ['rows, though none were written', ['q'], 4, 0, /has 4 rows of query q, which wrote 0\.$/],
  ['an unknown number of rows', ['q'], 4, null, /of query q, of which Trino does not say how many it wrote\.$/],
] as const)('a staging table with %s is not read, and dropped', async (_, ids, rows, says, message) => {
  const failure = await failureOf(reduce(writing(ids, rows, says)));
  expect(failure).toMatchObject({ code: 'TRINO_QUERY_FAILED', retryable: true });
  expect(failure.message).toMatch(message);
  expect(await leftOvers()).toEqual([]);
});

test('a limit names its setting, and leaves nothing', async () => {
  const { trino } = await engineOn(writing(['q'], 5, 5), { maxStagedBytes: 10 });
  const reduction = await reductionOf('demo.levels', 1);
  const failure = await failureOf(lab.engine.withConnection((connection) => trino.reduce(connection, reduction)));
  expect(failure).toMatchObject({ code: 'LIMIT_EXCEEDED', retryable: false });
  expect(failure.message).toMatch(
    /^Trino found \d+ bytes of rows, more than 10: raise trino\.maxStagedSize, or ask for less at once\.$/,
  );
  expect(await leftOvers()).toEqual([]);
});

test('a version that is too old is refused with both numbers before any statement, in runs and in doctor', async () => {
  const { trino, uri, statements } = await engineOn(undefined, { version: '439' });
  const reduction = await reductionOf('demo.levels', 1);
  const works = [
    lab.engine.withConnection((connection) => trino.reduce(connection, reduction)),
    lab.engine.withConnection((connection) => trino.probe(connection, lab.catalog)),
  ];
  for (const work of works) {
    const failure = await failureOf(work);
    expect(failure).toMatchObject({ code: 'UNSUPPORTED_FEATURE', retryable: false });
    expect(failure.message).toBe(`Trino ${uri} is version 439; 440 or newer is needed.`);
  }
  expect(statements).toEqual([]);
  const { trino: newer } = await engineOn(undefined, { version: '440' });
  const reduced = await lab.engine.withConnection((connection) => newer.reduce(connection, reduction));
  await reduced.release();
  expect(await leftOvers()).toEqual([]);
});

/** The one value of a table. */
async function valueIn(name: string): Promise<number> {
  const table = await lab.table(name);
  const schema = currentSchema(table.metadata);
  const source = { table, schema, snapshot: currentSnapshot(table.metadata) ?? null };
  return await lab.engine.withConnection(async (connection) => {
    const { scan } = await openScan(connection, source, await planSource(source));
    const rows = await connection.rows(`SELECT * FROM ${await readableScanSql(connection, { ...scan, schema })}`);
    return Number(rows[0]?.[0]);
  });
}

/** Does what the insert of doctor says, with the value that the other table has, or changes what it does. */
function probing(change: { readonly add?: number; readonly lose?: boolean } = {}): TrinoScript {
  return async (sql) => {
    const [, to, from] = /"(rows_\w+)" SELECT probe FROM .*"(files_\w+)"$/.exec(sql) ?? [];
    if (to === undefined || from === undefined) return undefined;
    const value = (await valueIn(`staging.${from}`)) + (change.add ?? 0);
    const files = await appendAs(await lab.table(`staging.${to}`), 'q', `SELECT ${value}::INTEGER`);
    if (change.lose === true) await lab.io.delete(...files.map(({ filePath }) => filePath));
    return { id: 'q', updateCount: 1 };
  };
}

const SOURCES = [{ name: 'demo.levels', isAsked: false }] as const;
const DENIED = { error: { errorName: 'PERMISSION_DENIED', errorType: 'USER_ERROR', message: 'Access Denied' } };

/** What doctor finds where some statements are refused. */
async function probe(script: TrinoScript, refused: RegExp = /^$/) {
  const { trino } = await engineOn((sql) => (refused.test(sql) && sql !== '' ? DENIED : script(sql)));
  return await lab.engine.withConnection((connection) => trino.probe(connection, lab.catalog, SOURCES));
}

test('doctor has Trino read a row and write it, and reads it', async () => {
  expect(await probe(probing())).toEqual({ version: '476', named: lab.catalog.name, sources: 1, warning: undefined });
  expect(await leftOvers()).toEqual([]);
  const other = await failureOf(probe(probing({ add: 1 })));
  expect(other).toMatchObject({ code: 'TRINO_TABLE_DIFFERS' });
  expect(other.message).toMatch(
    /cannot be read: its row is \d+, not \d+\. Trino has to reach the same store as catalog /,
  );
  // Another store with a bucket of the same name has its file.
  const lost = await failureOf(probe(probing({ lose: true })));
  expect(lost).toMatchObject({ code: 'TRINO_TABLE_DIFFERS' });
  expect(lost.message).toContain('Trino has to reach the same store as catalog ');
  expect(await leftOvers()).toEqual([]);
});

test('doctor says which rights the user of Trino lacks: on a source, on the tables of the system, to end queries', async () => {
  const rights =
    'Its user (trino.user) needs to read system.metadata.catalogs and system.runtime.queries, and to call system.runtime.kill_query.';
  const blind = await failureOf(probe(probing(), /system\.metadata\.catalogs/));
  expect([blind.code, blind.message.endsWith(`PERMISSION_DENIED: Access Denied. ${rights}`)]).toEqual([
    'TRINO_REFUSED',
    true,
  ]);
  const barred = await failureOf(probe(probing(), /FROM "[^"]+"\."demo"\."levels" LIMIT 0$/));
  expect(barred).toMatchObject({ code: 'TRINO_REFUSED' });
  expect(barred.message).toContain('Access Denied. Its user (trino.user) needs to read the source table, ');
  expect(await leftOvers()).toEqual([]);
  for (const refused of [/system\.runtime\.queries/, /^CALL system\.runtime\.kill_query/])
    expect((await probe(probing(), refused)).warning).toBe(
      `A query whose answer is lost cannot be ended (PERMISSION_DENIED: Access Denied). ${rights}`,
    );
  // That the query has ended says that the user may.
  const ended = { error: { errorName: 'NOT_SUPPORTED', errorType: 'USER_ERROR', message: 'is not running' } };
  const asked = await probe((sql) => (sql.startsWith('CALL') ? ended : probing()(sql)));
  expect(asked.warning).toBeUndefined();
  expect(await leftOvers()).toEqual([]);
});

test('doctor looks for the sources that Trino can read, and those that it is asked to read', async () => {
  await lab.catalog.createTable(parseTableName('demo.third').identifier, {
    schema: currentSchema((await lab.table('demo.levels')).metadata),
    formatVersion: 3,
  });
  const { trino } = await engineOn(probing());
  const found = async (isAsked: boolean) =>
    await lab.engine.withConnection((connection) =>
      trino.probe(connection, lab.catalog, [
        { name: 'demo.gone', isAsked: true },
        { name: 'demo.third', isAsked },
      ]),
    );
  expect((await found(false)).sources).toBe(0);
  const refused = await failureOf(found(true));
  expect(refused).toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
  expect(refused.message).toContain('Table demo.third has format version 3');
  expect(await leftOvers()).toEqual([]);
});

/** A catalog that drops no tables of a kind. */
function clinging(kind: string): Catalog {
  const dropTable: Catalog['dropTable'] = async (identifier) => {
    if (identifier.name.startsWith(`${kind}_`)) throw new Error('the catalog is away');
    return await lab.catalog.dropTable(identifier);
  };
  return new Proxy(lab.catalog, {
    get: (catalog, member) => {
      if (member === 'dropTable') return dropTable;
      const value: unknown = Reflect.get(catalog, member, catalog);
      return typeof value === 'function' ? (value.bind(catalog) as unknown) : value;
    },
  });
}

async function dropLeftOvers(): Promise<void> {
  for (const identifier of await lab.catalog.listTables(['staging'])) await lab.catalog.dropTable(identifier);
}

test('a table that cannot be dropped costs neither the rows nor the other tables', async () => {
  const reduced = await reduce(undefined, clinging('files'));
  expect([reduced.rows, await leftOvers()]).toEqual([0n, ['files', 'rows']]);
  await reduced.release();
  expect(await leftOvers()).toEqual(['files']);
  await dropLeftOvers();

  const kept = await reduce(undefined, clinging('rows'));
  await kept.release();
  expect(await leftOvers()).toEqual(['rows']);
  await dropLeftOvers();

  // Those that were made later are dropped, too.
  const error = { errorName: 'SYNTAX_ERROR', errorType: 'USER_ERROR' };
  const failing: TrinoScript = (sql) => (sql.startsWith('INSERT') ? { error } : undefined);
  expect(await failureOf(reduce(failing, clinging('rows')))).toMatchObject({ code: 'TRINO_REFUSED' });
  expect(await leftOvers()).toEqual(['rows']);
  await dropLeftOvers();
});

/** What Trino says of an insert, and whether it may be otherwise the next time. */
const FAILURES = [
  ['USER_ERROR', 'PERMISSION_DENIED', 'TRINO_REFUSED'],
  ['USER_ERROR', 'SYNTAX_ERROR', 'TRINO_REFUSED'],
  ['USER_ERROR', 'TABLE_NOT_FOUND', 'TRINO_REFUSED'],
  ['USER_ERROR', 'ADMINISTRATIVELY_KILLED', 'TRINO_QUERY_FAILED'],
  ['USER_ERROR', 'TRANSACTION_CONFLICT', 'TRINO_QUERY_FAILED'],
  ['INSUFFICIENT_RESOURCES', 'EXCEEDED_TIME_LIMIT', 'TRINO_REFUSED'],
  ['INSUFFICIENT_RESOURCES', 'EXCEEDED_LOCAL_MEMORY_LIMIT', 'TRINO_REFUSED'],
  ['INSUFFICIENT_RESOURCES', 'QUERY_QUEUE_FULL', 'TRINO_QUERY_FAILED'],
  ['INSUFFICIENT_RESOURCES', 'CLUSTER_OUT_OF_MEMORY', 'TRINO_QUERY_FAILED'],
  ['INTERNAL_ERROR', 'REMOTE_TASK_ERROR', 'TRINO_QUERY_FAILED'],
  ['EXTERNAL', 'ICEBERG_FILESYSTEM_ERROR', 'TRINO_QUERY_FAILED'],
  ['USER_ERROR', 'INVALID_SESSION_PROPERTY', 'CONFIG_INVALID'],
] as const;

test.each(FAILURES)(
  'a query that fails by %s %s is %s, and its tables are dropped',
  async (errorType, errorName, code) => {
    const error = { errorName, errorType, message: 'so it is' };
    const failure = await failureOf(reduce((sql) => (sql.startsWith('INSERT') ? { error } : undefined)));
    expect(failure).toMatchObject({ code, retryable: code === 'TRINO_QUERY_FAILED' });
    expect(failure.message).toContain(`${errorName}: so it is.`);
    expect(await leftOvers()).toEqual([]);
  },
);

test('a user who is not let in is refused at every question, and not tried again', async () => {
  const steps = ['', 'system.metadata.catalogs', '$metadata_log_entries', 'INSERT'];
  for (const [status, step] of [401, 403].flatMap((each) => steps.map((of) => [each, of] as const))) {
    const failure = await failureOf(
      reduce((sql) => ((step === '' ? sql === '' : sql.includes(step)) ? { status } : undefined)),
    );
    expect(failure, step).toMatchObject({ code: 'TRINO_REFUSED', retryable: false });
    expect(failure.message).toContain(`it answered ${status}`);
  }
  const error = { errorName: 'PERMISSION_DENIED', errorType: 'USER_ERROR' };
  const blind = await failureOf(reduce((sql) => (sql.includes('$metadata_log_entries') ? { error } : undefined)));
  expect(blind).toMatchObject({ code: 'TRINO_REFUSED' });
  const away = await failureOf(reduce((sql) => (sql.startsWith('INSERT') ? { status: 500 } : undefined)));
  expect(away).toMatchObject({ code: 'TRINO_UNAVAILABLE', retryable: true });
});

test('queries that are given up are found by the table that they write into, whatever their source is called', async () => {
  const asked: string[] = [];
  const error = { errorName: 'REMOTE_TASK_ERROR', errorType: 'INTERNAL_ERROR' };
  const script: TrinoScript = (sql) => {
    if (sql.includes('system.runtime.queries')) asked.push(sql);
    return sql.startsWith('INSERT') ? { error } : undefined;
  };
  await failureOf(reduce(script));
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatch(
    / WHERE state NOT IN \('FINISHED', 'FAILED'\) AND starts_with\(query, 'INSERT'\) AND \(strpos\(query, 'rows_\w+'\) > 0\)$/,
  );
});
