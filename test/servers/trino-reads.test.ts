/** What Trino is asked to read: many states of a source, windows in sessions of another time zone, and a source that has lost all of its rows. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ensureNamespace, parseTableName } from '../../catalogs/index.js';
import { getHistoricalFeatures, parseDefinitions, resolveView } from '../../features/index.js';
import { currentSchema, type IcebergType, type NestedField } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, type Project } from '../../project/index.js';
import { TrinoEngine } from '../../reduction/index.js';
import { stageRows } from '../../staging/index.js';
import { changeSchema, commitAppend, loadTable, planFiles } from '../../tables/index.js';
import { queryTrino } from '../support/trino-server.js';
import { onlineRows, openTrinoProject } from '../support/trino-worlds.js';

const lake = inject('trinoLake');
const run = `reads_${Date.now().toString(36)}`;
const folder = mkdtempSync(join(tmpdir(), 'moraine-test-'));
/** Hours and minutes away from UTC. */
const options = { 'header.X-Trino-Time-Zone': 'Asia/Kathmandu' };
let duckdb: Project;
let onTrino: Project;
beforeAll(async () => {
  duckdb = await openTrinoProject(lake, 'duckdb', `${run}_duckdb`, { cwd: folder });
  onTrino = await openTrinoProject(lake, 'trino', `${run}_trino`, { cwd: folder, options });
});
afterAll(async () => {
  await Promise.all([duckdb, onTrino].map((project) => project.close()));
  rmSync(folder, { recursive: true, force: true });
});

const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });

/** A table of the columns `k`, `at` and `v`, and a view on it. */
async function makeSource(name: string, time: 'timestamp' | 'timestamptz', key: 'int' | 'long' = 'long') {
  const identifier = { namespace: ['packed'], name: `${run}_${name}` };
  const catalog = await duckdb.catalog();
  await ensureNamespace(catalog, identifier.namespace);
  const fields = [field(1, 'k', { kind: key }), field(2, 'at', { kind: time }), field(3, 'v', { kind: 'long' })];
  await catalog.createTable(identifier, { schema: { schemaId: 0, identifierFieldIds: [], fields }, formatVersion: 2 });
  const table = `packed.${identifier.name}`;
  const value = {
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [{ name, entities: ['thing'], source: { table, timestampField: 'at' }, online: true }],
  };
  const definitions = parseDefinitions([{ value }]);
  const load = async () => await loadTable(catalog, duckdb.io, identifier);
  return {
    table,
    definitions,
    load,
    /** Makes the key `long`, and no snapshot. */
    async promoteKey() {
      const { metadata } = await load();
      const schema = currentSchema(metadata);
      const promoted = schema.fields.map((each) =>
        each.name === 'k' ? { ...each, type: { kind: 'long' } as const } : each,
      );
      await catalog.commitTable(identifier, changeSchema(metadata, { ...schema, fields: promoted }));
    },
    /** Values of entities 0 to 3 at the third microsecond, and who has looked for them. */
    async retrieve(project: Project, asOf?: { readonly snapshotId: bigint }) {
      const deps = { ...(await materializationDeps(project)), definitions: () => Promise.resolve(definitions) };
      const sql = `SELECT k::INTEGER AS k, make_timestamptz(3) AS event_timestamp FROM range(4) AS r(k)`;
      const request = {
        entities: { query: { sql } },
        features: [{ view: name }],
        ...(asOf === undefined ? {} : { asOf }),
      };
      return await getHistoricalFeatures(deps, request, async ({ connection, select, joins }) => ({
        engine: [...joins.values()].map(({ engine }) => engine),
        values: (await connection.rows(`SELECT * FROM (${select}) ORDER BY 1`)).map(([k, , v]) => [
          Number(k),
          Number(v),
        ]),
      }));
    },
    /** Commits the rows of a statement as one file. */
    async append(select: string) {
      await (await duckdb.engine()).withConnection(async (connection) => {
        const state = await load();
        const files = await stageRows(connection, state, { select, namePrefix: randomUUID() });
        await commitAppend(state, { files });
      });
    },
    async materialize(project: Project, request: { readonly startUs?: bigint; readonly endUs?: bigint } = {}) {
      const deps = { ...(await materializationDeps(project)), definitions: () => Promise.resolve(definitions) };
      const { plan } = await materializeDirect(deps, { view: name, ...request });
      return { engine: plan.reduction?.engine, rows: (await onlineRows(project, name)).rows };
    },
  };
}

test('a run reads more states of its source than one query of Trino may have', async () => {
  // Each is a stage of a query, of which Trino takes 150 unless told otherwise; some more join, rank and write.
  const STATES = 104;
  const session = { query_max_stage_count: '110' };
  const source = await makeSource('states', 'timestamptz');
  for (let at = 0; at < STATES; at++)
    await source.append(`SELECT ${at % 10}::BIGINT AS k, make_timestamptz(${at}) AS "at", ${at}::BIGINT AS v`);
  const table = await source.load();
  const reads = table.metadata.snapshots.map(({ snapshotId, sequenceNumber, summary }) => {
    expect(summary.get('added-data-files')).toBe('1');
    return { snapshotId, sequenceNumber };
  });
  const catalog = await duckdb.catalog();
  const schema = currentSchema(table.metadata);
  const { files } = await planFiles(table, { snapshot: table.metadata.snapshots.at(-1) ?? null, schema });
  const { trino: settings } = onTrino.config;
  const engine = new TrinoEngine(
    { ...(settings ?? expect.unreachable()), session },
    {
      io: duckdb.io,
      resolveTable: () => Promise.resolve({ catalog, identifier: parseTableName(source.table).identifier }),
    },
  );
  await (await duckdb.engine()).withConnection(async (connection) => {
    const reduced = await engine.reduce(connection, {
      kind: 'latest',
      source: { name: source.table, table },
      columns: resolveView(source.definitions, 'states', schema),
      groups: [
        {
          group: 0,
          keep: 'newest',
          // Of each state the file that it added.
          reads: reads.map(({ snapshotId, sequenceNumber }) => ({
            snapshotId,
            files: files
              .filter((file) => file.sequenceNumber === sequenceNumber)
              .map(({ file }) => ({ path: file.filePath, sequenceNumber })),
            startUs: null,
            endUs: null,
          })),
        },
      ],
    });
    const { identifier } = reduced.table;
    const staged = `door."${identifier.namespace.join('.')}"."${identifier.name}"`;
    const rows = await queryTrino(
      lake.trino,
      `SELECT k0, max(f0), count(DISTINCT seq) FROM ${staged} GROUP BY 1 ORDER BY 1`,
    );
    // Two queries left a row of each of their entities: of 100 states, and of the 4 last ones.
    const left = Array.from({ length: 10 }, (_, k) => [k, k < 4 ? 100 + k : 90 + k, k < 4 ? 2 : 1]);
    expect(rows).toEqual(left);
    expect(reduced.table.metadata.snapshots).toHaveLength(2);
    expect(reduced.rows).toBe(14n);
    await reduced.release();
  });
});

test('keys of a state that are promoted since are found, as what they were and as what they are', async () => {
  const source = await makeSource('promoted', 'timestamptz', 'int');
  for (const at of [1, 2])
    await source.append(
      `SELECT k::INTEGER AS k, make_timestamptz(${at}) AS "at", k + 10 * ${at} AS v FROM range(3) AS r(k)`,
    );
  const snapshotId = (await source.load()).metadata.currentSnapshotId ?? 0n;
  await source.promoteKey();
  const values = [0, 1, 2].map((k) => [k, 20 + k]).concat([[3, 0]]);
  expect(await source.retrieve(duckdb)).toEqual({ engine: ['duckdb'], values });
  expect(await source.retrieve(onTrino)).toEqual({ engine: ['trino'], values });
  expect((await source.materialize(onTrino)).rows).toEqual((await source.materialize(duckdb)).rows);
  await source.append(`SELECT k::BIGINT AS k, make_timestamptz(3) AS "at", k + 30 AS v FROM range(3) AS r(k)`);
  expect(await source.retrieve(onTrino, { snapshotId })).toEqual({ engine: ['trino'], values });
  expect((await source.retrieve(onTrino)).values).toEqual([0, 1, 2].map((k) => [k, 30 + k]).concat([[3, 0]]));
  expect((await source.materialize(onTrino)).rows).toEqual((await source.materialize(duckdb)).rows);
});

test('a window has the same rows in every time zone of the session, with a zone and without', async () => {
  for (const time of ['timestamp', 'timestamptz'] as const) {
    const source = await makeSource(`window_of_${time}`, time);
    const rows = Array.from(
      { length: 48 },
      (_, hour) => `(${hour}, make_${time}(${hour}::BIGINT * 3600000000), ${hour})`,
    );
    await source.append(`SELECT k::BIGINT AS k, "at", v::BIGINT AS v FROM (VALUES ${rows.join(', ')}) t(k, "at", v)`);
    const window = { startUs: 12n * 3_600_000_000n, endUs: 36n * 3_600_000_000n };
    const [ours, theirs] = [await source.materialize(duckdb, window), await source.materialize(onTrino, window)];
    expect([ours.engine, theirs.engine]).toEqual([undefined, 'trino']);
    expect(ours.rows).toHaveLength(24);
    expect(theirs.rows).toEqual(ours.rows);
  }
});

test('a run whose source has lost all of its rows takes them from the online table', async () => {
  const source = await makeSource('emptied', 'timestamptz');
  await source.append('SELECT 1::BIGINT AS k, make_timestamptz(0) AS "at", 1::BIGINT AS v');
  expect((await source.materialize(onTrino)).rows).toHaveLength(1);
  await queryTrino(lake.trino, `DELETE FROM door.${source.table}`);
  expect(await source.materialize(onTrino)).toEqual({ engine: undefined, rows: [] });
});
