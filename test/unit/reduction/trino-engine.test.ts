/** What becomes of answers and failures of Trino; with Trino itself: test/servers/trino-engine.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Catalog, parseTableName } from '../../../catalogs/index.js';
import { resolveView } from '../../../features/views/resolve-view.js';
import { currentSchema, currentSnapshot } from '../../../iceberg/index.js';
import type { LatestReduction } from '../../../reduction/index.js';
import { TrinoEngine } from '../../../reduction/trino/trino-engine.js';
import { planSource } from '../../../scans/index.js';
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

/** Has a scripted Trino reduce a table of the lab. */
async function reduce(script?: TrinoScript, catalog = lab.catalog, reads = 1) {
  const name = 'demo.levels';
  const { uri } = await serveTrino(lab, script);
  const settings = { uri, catalogs: new Map(), staging: ['staging'], options: {}, session: {}, maxStagedBytes: 1000 };
  const resolveTable = () => Promise.resolve({ catalog, identifier: parseTableName(name).identifier });
  const trino = new TrinoEngine(settings, { io: lab.io, resolveTable });
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
