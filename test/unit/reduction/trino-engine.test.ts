/** What becomes of answers and failures of Trino; with Trino itself: test/servers/trino-engine.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseTableName } from '../../../catalogs/index.js';
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
async function reduce(script?: TrinoScript, name = 'demo.levels') {
  const { uri } = await serveTrino(lab, script);
  const settings = { uri, catalogs: new Map(), staging: ['staging'], options: {}, session: {}, maxStagedBytes: 1000 };
  const resolveTable = () => Promise.resolve({ catalog: lab.catalog, identifier: parseTableName(name).identifier });
  const trino = new TrinoEngine(settings, { io: lab.io, resolveTable });
  const reduction = await reductionOf(name);
  return await lab.engine.withConnection((connection) => trino.reduce(connection, reduction));
}

async function reductionOf(name: string): Promise<LatestReduction> {
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
    groups: [{ group: 0, keep: 'newest', reads: [read] }],
  };
}

/** The kinds of staging tables that are left. */
async function leftOvers(): Promise<readonly string[]> {
  if (!(await lab.catalog.namespaceExists(['staging']))) return [];
  return (await lab.catalog.listTables(['staging'])).map(({ name }) => name.split('_')[0] ?? '');
}

test('a reduction without rows leaves nothing once it is released', async () => {
  const { rows, release } = await reduce();
  expect([rows, await leftOvers()]).toEqual([0n, ['rows']]);
  await release();
  expect(await leftOvers()).toEqual([]);
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

test.each(FAILURES)('a query that fails by %s %s is %s, and its tables are dropped', async (errorType, errorName, code) => {
  const error = { errorName, errorType, message: 'so it is' };
  const failure = await failureOf(reduce((sql) => (sql.startsWith('INSERT') ? { error } : undefined)));
  expect(failure).toMatchObject({ code, retryable: code === 'TRINO_QUERY_FAILED' });
  expect(failure.message).toContain(`${errorName}: so it is.`);
  expect(await leftOvers()).toEqual([]);
});

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
