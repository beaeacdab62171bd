/** Runs that Trino reduces: the same answers as DuckDB's, on random worlds, who may ask, and what becomes of failures. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ensureNamespace, formatTableName, openSqlCatalog } from '../../catalogs/index.js';
import { type Definitions, explainHistoricalFeatures, getHistoricalFeatures } from '../../features/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { enginesOf, materializationDeps, type Project } from '../../project/index.js';
import type { EngineType } from '../../reduction/index.js';
import { listFiles } from '../../storage/index.js';
import { loadTable } from '../../tables/index.js';
import { moraine, moraineOk } from '../support/cli.js';
import { numberIn } from '../support/environment.js';
import { failureOf } from '../support/error-code.js';
import { startFaultyProxy } from '../support/faulty-proxy.js';
import { type PackedShape, PackedWorlds } from '../support/packed-worlds.js';
import { seed } from '../support/property-runs.js';
import { startServiceProcess } from '../support/service-process.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { tokenOf } from '../support/trino-guard.js';
import { placeInFile, startTrinoLake, type TrinoLake } from '../support/trino-lake.js';
import { queryTrino } from '../support/trino-server.js';
import {
  frameSql,
  onlineRows,
  openTrinoProject,
  rowsOf,
  type TrinoProjectOptions,
  viewDefinitions,
} from '../support/trino-worlds.js';

/** Worlds in each table; 200 in the long form. */
const WORLDS = numberIn('MORAINE_TRINO_WORLDS', /^[1-9]\d{0,3}$/) ?? 20;
const SEED = String(seed ?? 1);

let lake: TrinoLake;
beforeAll(async () => {
  lake = await startTrinoLake({ isGuarded: true });
});
afterAll(() => lake.close());

const query = (sql: string) => queryTrino(lake.trino, sql);

const opened: Project[] = [];
afterAll(() => Promise.all(opened.map((project) => project.close())));

async function open(...of: Parameters<typeof openTrinoProject> extends [unknown, ...infer Rest] ? Rest : never) {
  const project = await openTrinoProject(lake, ...of);
  opened.push(project);
  return project;
}

/** The long form has all shapes, and more rounds of changes: else two for the first shape and one for the second. */
const IS_LONG = WORLDS >= 100;
const roundsOf = (shape: PackedShape): number => (IS_LONG ? 4 : shape === ALL_SHAPES[0] ? 2 : 1);
const ALL_SHAPES: readonly PackedShape[] = [
  { key: 'long', time: 'timestamptz' },
  { key: 'string', time: 'timestamp' },
  { key: 'decimal', time: 'timestamptz' },
  { key: 'date', time: 'timestamp' },
  { key: 'uuid', time: 'timestamptz' },
  { key: 'binary', time: 'timestamp' },
];

const SHAPES = IS_LONG ? ALL_SHAPES : ALL_SHAPES.slice(0, 2);

test.each(SHAPES.map((shape) => [`${shape.key} keys, ${shape.time}`, shape] as const))(
  `answers of both engines on ${WORLDS} packed worlds: %s`,
  async (_, shape) => {
    const run = `p${Date.now().toString(36)}_${shape.key}`;
    const [duckdb, onTrino] = [await open('duckdb', `${run}_duckdb`), await open('trino', `${run}_trino`)];
    const lab = { io: duckdb.io, catalog: await duckdb.catalog(), engine: await duckdb.engine() };
    const worlds = new PackedWorlds(lab, run, shape, { worlds: WORLDS, seed: SEED });
    await worlds.create();
    await worlds.append();
    for (let round = 0; round < roundsOf(shape); round++) {
      for (let step = 0; step < 3; step++) await worlds.step();
      if (round === 0) await takeMissingSteps(worlds);
      const history = `${SEED}: ${worlds.steps.join('; ')}`;
      await compareRetrieval([duckdb, onTrino], worlds, history);
      await compareMaterialization([duckdb, onTrino], worlds, history);
    }
    // New files that a compaction has written anew before the next run, and no deletes.
    for (let append = 0; append < 5; append++) await worlds.append(1);
    await worlds.step('compact');
    expect(worlds.steps.at(-1)).toMatch(/^compact [1-9]/);
    await compareMaterialization([duckdb, onTrino], worlds, `${SEED}: ${worlds.steps.join('; ')}`);
  },
  3_600_000,
);

/** What the words of a step say, whatever it was drawn for. */
const NEEDED = [
  ['delete', /: positions$/],
  ['delete', /: equality/],
  ['schema', /^schema: /],
  ['spec', /^spec: /],
] as const;

/** Steps of the kinds that were not drawn: no comparison is without them. */
async function takeMissingSteps(worlds: PackedWorlds): Promise<void> {
  for (const [kind, words] of NEEDED)
    for (let tries = 0; tries < 20 && !worlds.steps.some((step) => words.test(step)); tries++) await worlds.step(kind);
  for (const [, words] of NEEDED) expect(worlds.steps).toContainEqual(expect.stringMatching(words));
}

async function compareRetrieval(projects: readonly Project[], worlds: PackedWorlds, history: string): Promise<void> {
  const definitions = await viewDefinitions(worlds);
  const table = await worlds.table();
  const digests = projects.map(async (project) => {
    const deps = { ...(await materializationDeps(project)), definitions: () => Promise.resolve(definitions) };
    const answers: ({ readonly engines: readonly string[] } & Awaited<ReturnType<typeof rowsOf>>)[] = [];
    for (const knownAsOf of [false, true]) {
      const views = knownAsOf ? ['recent', 'of_all'] : ['whole', 'young', 'of_worlds', 'of_all'];
      const features = views.map((view) => ({ view }));
      const entities = { query: { sql: frameSql(table.identifier.name) } };
      answers.push(
        await getHistoricalFeatures(deps, { entities, features, knownAsOf, fullFeatureNames: true }, async (found) => ({
          engines: [...found.joins.values()].map(({ engine }) => engine),
          ...(await rowsOf(found.connection, found.select, found.schema)),
        })),
      );
    }
    return answers;
  });
  const [ours = [], theirs = []] = await Promise.all(digests);
  const rowsIn = (answers: typeof ours) => answers.map(({ rows, digest }) => ({ rows, digest }));
  expect(rowsIn(theirs), history).toEqual(rowsIn(ours));
  expect(theirs.flatMap(({ engines }) => engines)).toEqual(Array.from({ length: 6 }, () => 'trino'));
}

async function compareMaterialization(
  projects: readonly Project[],
  worlds: PackedWorlds,
  history: string,
): Promise<void> {
  const definitions = await viewDefinitions(worlds);
  for (const view of ['whole', 'of_worlds']) {
    const rows: unknown[] = [];
    for (const project of projects) {
      const deps = { ...(await materializationDeps(project)), definitions: () => Promise.resolve(definitions) };
      const { plan } = await materializeDirect(deps, { view });
      rows.push({ kind: plan.kind, ...(await onlineRows(project, view)) });
    }
    expect(rows[1], history).toEqual(rows[0]);
  }
}

/** A view of a table with rows, on a project. */
async function smallView(name: string, overrides: TrinoProjectOptions = {}) {
  const project = await open('trino', `${name}_online`, overrides);
  const lab = { io: project.io, catalog: await project.catalog(), engine: await project.engine() };
  const worlds = new PackedWorlds(lab, name, { key: 'long', time: 'timestamptz' }, { worlds: 2, seed: SEED });
  await worlds.create();
  await worlds.append();
  const definitions = await viewDefinitions(worlds);
  const deps = { ...(await materializationDeps(project)), definitions: () => Promise.resolve(definitions) };
  return { project, deps, worlds };
}

const stagingOf = (project: Project): string => `${project.config.online.namespace}_staging`;

/** What is left in the namespace of staging tables, and their files. */
async function leftOvers(project: Project): Promise<readonly string[]> {
  const [catalog, namespace] = [await project.catalog(), [stagingOf(project)]];
  const tables = (await catalog.namespaceExists(namespace)) ? await catalog.listTables(namespace) : [];
  const files: string[] = [];
  for await (const { location } of listFiles(project.io, `s3://lake/door/${stagingOf(project)}`)) files.push(location);
  return [...tables.map(({ name }) => name), ...files];
}

/** Runs that have committed to the table of a view. */
async function commitsOf(project: Project, name: string): Promise<number> {
  const identifier = { namespace: [project.config.online.namespace], name };
  const { metadata } = await loadTable(await project.catalog(), project.io, identifier);
  return metadata.snapshots.filter(({ summary }) => summary.has('moraine.run-key')).length;
}

const insertsOf = (project: Project): string => `query LIKE 'INSERT INTO "door"."${stagingOf(project)}"%'`;

/** Runs something as soon as Trino runs a statement that writes to a staging table of a project. */
async function onceInserting(project: Project, work: (queryId: string) => Promise<unknown>): Promise<void> {
  const running = `SELECT query_id FROM system.runtime.queries WHERE state NOT IN ('FINISHED', 'FAILED') AND ${insertsOf(project)}`;
  for (;;) {
    const [row] = await query(running);
    if (typeof row?.[0] === 'string') return void (await work(row[0]));
  }
}

test('a query that an administrator ends, a cancelled run and a limit leave nothing, and the next run has all rows', async () => {
  const { project, deps } = await smallView(`killed_${Date.now().toString(36)}`);
  const kill = onceInserting(project, (id) =>
    query(`CALL system.runtime.kill_query(query_id => '${id}', message => 'enough')`),
  );
  const killed = await failureOf(materializeDirect(deps, { view: 'whole' }));
  await kill;
  expect(killed).toMatchObject({ code: 'TRINO_QUERY_FAILED' });
  expect(killed.message).toContain('ADMINISTRATIVELY_KILLED');
  expect(killed.message).toContain('enough');
  expect(await leftOvers(project)).toEqual([]);

  const controller = new AbortController();
  const cancel = onceInserting(project, () => Promise.resolve(controller.abort()));
  const cancelled = await failureOf(materializeDirect(deps, { view: 'whole' }, { signal: controller.signal }));
  await cancel;
  expect(cancelled).toMatchObject({ code: 'CANCELLED' });
  expect(await leftOvers(project)).toEqual([]);
  const states = await query(`SELECT DISTINCT state FROM system.runtime.queries WHERE ${insertsOf(project)}`);
  expect(states.flat().filter((state) => state !== 'FINISHED')).toEqual(['FAILED']);

  const limited = await open('trino', project.config.online.namespace, { maxStagedSize: 10 });
  const small = { ...(await materializationDeps(limited)), definitions: () => deps.definitions() };
  const beyond = await failureOf(materializeDirect(small, { view: 'whole' }));
  expect(beyond).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  expect(beyond.message).toContain('more than 10: raise trino.maxStagedSize');
  expect(await leftOvers(project)).toEqual([]);

  const { plan, commit } = await materializeDirect(deps, { view: 'of_worlds' });
  expect(plan.reduction).toEqual({ engine: 'trino', parts: 1 });
  expect(commit?.outcome).toBe('committed');
  expect((await onlineRows(project, 'of_worlds')).rows).toHaveLength(2);
  expect([await commitsOf(project, 'whole'), await commitsOf(project, 'of_worlds')]).toEqual([0, 1]);
  expect(await leftOvers(project)).toEqual([]);
});

test('what Trino does not have, and another catalog, are refused with what to do', async () => {
  const name = `refused_${Date.now().toString(36)}`;
  const { project, deps, worlds } = await smallView(name);
  const tryWith = async (overrides: TrinoProjectOptions) => {
    const other = await open('trino', project.config.online.namespace, overrides);
    const own = { ...(await materializationDeps(other)), definitions: () => deps.definitions() };
    return await failureOf(materializeDirect(own, { view: 'whole' }));
  };
  const unknown = await tryWith({ catalogs: { door: 'elsewhere' } });
  expect(unknown).toMatchObject({ code: 'CONFIG_INVALID' });
  const system = await tryWith({ catalogs: { door: 'system' } });
  expect(system).toMatchObject({ code: 'CONFIG_INVALID' });
  expect(system.message).toContain('trino.catalogs');
  const away = await tryWith({ uri: 'http://127.0.0.1:9' });
  expect(away).toMatchObject({ code: 'TRINO_UNAVAILABLE' });

  const { metadata } = await worlds.table();
  await (await project.catalog()).commitTable(worlds.identifier, {
    requirements: [{ type: 'assert-table-uuid', uuid: metadata.tableUuid }],
    updates: [{ action: 'upgrade-format-version', formatVersion: 3 }],
  });
  const third = await failureOf(materializeDirect(deps, { view: 'whole' }));
  expect(third).toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
  expect(third.message).toContain('format version 3');
  // The run may ask for the other engine.
  const { plan } = await materializeDirect(deps, { view: 'whole', engine: 'duckdb' });
  expect(plan.reduction).toBeNull();
  expect(await leftOvers(project)).toEqual([]);
});

test('a table of the same name, and one without the state that is read, are told from the table; a catalog may have another name', async () => {
  const { project, deps, worlds } = await smallView(`differs_${Date.now().toString(36)}`);
  const { catalogs } = lake.place;
  const others = await openSqlCatalog({ ...catalogs.door, name: 'other', io: project.io });
  onTestFinished(() => others.close());
  const run = async (named: string) => {
    const mapped = await open('trino', project.config.online.namespace, { catalogs: { door: named } });
    const own = { ...(await materializationDeps(mapped)), definitions: () => deps.definitions() };
    return await materializeDirect(own, { view: 'whole', engine: 'trino' });
  };
  const refusal = async () => {
    const { code, message } = await failureOf(run('other'));
    expect(code).toBe('TRINO_TABLE_DIFFERS');
    expect(message).toContain("Catalog door is taken for Trino's catalog other (trino.catalogs).");
    return message;
  };
  const name = formatTableName(worlds.identifier, 'door');
  expect(await refusal()).toContain(`has no Iceberg table ${name}`);
  await ensureNamespace(others, worlds.identifier.namespace);
  const { metadata } = await worlds.table();
  await others.createTable(worlds.identifier, { schema: currentSchema(metadata), formatVersion: 2 });
  expect(await refusal()).toContain(`has another table ${name} (`);
  await others.dropTable(worlds.identifier);
  // As it was before its first row.
  const [{ metadataFile = '' } = {}] = metadata.metadataLog;
  await others.registerTable(worlds.identifier, metadataFile);
  expect(await refusal()).toContain(`does not have snapshot ${currentSnapshot(metadata)?.snapshotId} of table ${name}`);

  // Doctor compares a table, too, before it has Trino write to one.
  const engines = async (named: string) => {
    const mapped = await open('trino', project.config.online.namespace, { catalogs: { door: named } });
    return (await enginesOf(mapped)).trino ?? expect.unreachable();
  };
  const catalog = await project.catalog();
  const probe = async (named: string) => {
    const [engine, trino] = [await project.engine(), await engines(named)];
    return await engine.withConnection((connection) => trino.probe(connection, catalog));
  };
  expect(await failureOf(probe('other'))).toMatchObject({ code: 'TRINO_TABLE_DIFFERS' });
  expect(await probe('renamed')).toMatchObject({ version: '476', named: 'renamed' });

  const { plan } = await run('renamed');
  expect(plan.reduction?.engine).toBe('trino');
  expect((await onlineRows(project, 'whole')).rows).not.toEqual([]);
  expect(await leftOvers(project)).toEqual([]);
});

/** A project that asks Trino over TLS; its secrets are in the environment. */
function guardedProject(name: string) {
  const { guarded = expect.unreachable() } = lake;
  vi.stubEnv('NODE_EXTRA_CA_CERTS', guarded.authority);
  vi.stubEnv('TRINO_PASSWORD', guarded.passwords['moraine']);
  for (const user of ['reader', 'blind', 'bound', 'barred'])
    vi.stubEnv(`${user.toUpperCase()}_PASSWORD`, guarded.passwords[user]);
  vi.stubEnv('WRONG_PASSWORD', 'canary-of-nobody');
  vi.stubEnv('TRINO_TOKEN', tokenOf(guarded, 'ada'));
  vi.stubEnv('EXPIRED_TOKEN', tokenOf(guarded, 'ada', -60));
  onTestFinished(() => void vi.unstubAllEnvs());
  const [cwd, staging, { catalogs, storage }] = [temporaryFolder(), `${name}_staging`, placeInFile(lake.place)];
  const online = { namespace: `${name}_online` };
  const asked = `${guarded.address}/door`;
  /** @param trino options of the engine. @param readers options of catalogs that are read through Trino */
  const configure = (
    trino: { readonly options: Readonly<Record<string, string>>; readonly session?: Readonly<Record<string, string>> },
    readers: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
  ): void => {
    const others = Object.entries(readers).map(([reader, options]): [string, object] => {
      return [reader, { type: 'trino', uri: asked, options }];
    });
    const config = {
      catalogs: { ...catalogs, ...Object.fromEntries<object>(others) },
      ...{ catalog: 'door', storage, online, definitions: ['features.yaml'] },
      trino: { uri: guarded.address, staging, catalogs: { door: 'door' }, ...trino },
    };
    writeFileSync(join(cwd, 'moraine.yaml'), JSON.stringify(config));
  };
  /** What doctor says of each check, and the code of the first failure. */
  const doctor = async () => {
    const { stdout, stderr } = await moraine(['doctor', '--json'], { cwd });
    expect(stdout + stderr).not.toContain('canary');
    const { checks } = JSON.parse(stdout) as { readonly checks: readonly { readonly name: string }[] };
    const { error } = JSON.parse(stderr || '{}') as { readonly error?: { readonly code: string } };
    return { code: error?.code, said: (check: string) => checks.find(({ name: of }) => of === check) };
  };
  return { cwd, configure, doctor, address: guarded.address, staging };
}

test('a password and a token, over TLS: doctor says who is let in, and what to set for those who are not', async () => {
  const { configure, doctor, address } = guardedProject(`proofs_${Date.now().toString(36)}`);
  const moraines = { 'trino.user': 'moraine', 'trino.password': '${TRINO_PASSWORD}' };
  configure(
    { options: moraines },
    {
      password: moraines,
      token: { 'trino.token': '${TRINO_TOKEN}' },
      wrong: { ...moraines, 'trino.password': '${WRONG_PASSWORD}' },
      expired: { 'trino.token': '${EXPIRED_TOKEN}' },
      other: { 'trino.user': 'moraine', 'trino.token': '${TRINO_TOKEN}' },
      none: {},
    },
  );
  const { said, code } = await doctor();
  expect(code).toBe('CATALOG_UNAVAILABLE');
  const served = `${address} 476, catalog door: a row was written and read`;
  expect(said('Trino for catalog door')).toMatchObject({ status: 'ok', detail: served });
  for (const name of ['password', 'token'])
    expect(said(`catalog ${name}`)).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining(`${address}/door`) as string,
    });
  const refusals = {
    wrong:
      'it answered 401 and says: Access Denied: Invalid credentials. Check trino.user, and trino.password or trino.token.',
    expired: 'says: JWT expired',
    other: 'Access Denied: User ada cannot impersonate user moraine.',
    none: 'it answered 401 and says: Unauthorized. Check trino.user, and trino.password or trino.token.',
  };
  for (const [name, text] of Object.entries(refusals))
    expect(said(`catalog ${name}`)).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining(text) as string,
    });
  const failing = async (options: Readonly<Record<string, string>>, session: Readonly<Record<string, string>> = {}) => {
    configure({ options, session });
    const { said: shown, code: first } = await doctor();
    return { ...shown('Trino for catalog door'), code: first };
  };
  expect(await failing({ 'trino.token': '${EXPIRED_TOKEN}' })).toMatchObject({
    code: 'TRINO_REFUSED',
    detail: expect.stringMatching(
      /401 and says: JWT expired .* Check trino.user, and trino.password or trino.token\.$/,
    ) as string,
  });
  expect(await failing({ 'trino.user': 'reader', 'trino.password': '${READER_PASSWORD}' })).toMatchObject({
    code: 'TRINO_REFUSED',
    detail: expect.stringMatching(
      /Cannot insert into table door\..* in the staging tables \(trino\.staging\)\.$/,
    ) as string,
  });
  expect(await failing(moraines, { 'door.nonsense': '1' })).toMatchObject({
    code: 'CONFIG_INVALID',
    detail: `Trino ${address} (door): INVALID_SESSION_PROPERTY: Session property 'door.nonsense' does not exist. Correct trino.session.`,
  });
  vi.stubEnv('NODE_EXTRA_CA_CERTS', '');
  configure({ options: moraines }, { password: moraines });
  const untrusted = await doctor();
  expect(untrusted.code).toBe('CATALOG_UNAVAILABLE');
  const remedy = 'set NODE_EXTRA_CA_CERTS to the file of its authority';
  for (const check of ['catalog password', 'Trino for catalog door'])
    expect(untrusted.said(check)).toMatchObject({ status: 'fail', detail: expect.stringContaining(remedy) as string });
});

test('doctor has Trino look at the sources of views, and says which rights its user lacks', async () => {
  const { cwd, configure, doctor, address } = guardedProject(`rights_${Date.now().toString(36)}`);
  const table = `barred.levels_${Date.now().toString(36)}`;
  writeFileSync(join(cwd, 'rows.csv'), 'sensor,at,level\n1,2026-01-01T00:00:00Z,10\n');
  const entities = [{ name: 'sensor', joinKeys: ['sensor'] }];
  const view = `levels_${Date.now().toString(36)}`;
  const featureViews = [{ name: view, entities: ['sensor'], engine: 'trino', source: { table, timestampField: 'at' } }];
  writeFileSync(join(cwd, 'features.yaml'), JSON.stringify({ entities, featureViews }));
  const as = (user: string) =>
    configure({ options: { 'trino.user': user, 'trino.password': `\${${user.toUpperCase()}_PASSWORD}` } });
  vi.stubEnv('MORAINE_PASSWORD', process.env['TRINO_PASSWORD']);
  as('moraine');
  await moraineOk(['table', 'append', table, 'rows.csv', '--create'], { cwd });
  await moraineOk(['apply'], { cwd });
  onTestFinished(async () => {
    writeFileSync(join(cwd, 'features.yaml'), '{}');
    await moraineOk(['apply', '--prune'], { cwd });
  });
  const check = async (user: string) => {
    as(user);
    const { said } = await doctor();
    return said('Trino for catalog door');
  };
  const served = `${address} 476, catalog door: a row was written and read, and 1 source can be read`;
  expect(await check('moraine')).toMatchObject({ status: 'ok', detail: served });
  const needs =
    'Its user (trino.user) needs to read system.metadata.catalogs and system.runtime.queries, and to call system.runtime.kill_query.';
  const refused = (text: string) => ({ status: 'fail', detail: expect.stringContaining(text) as string });
  const blind = await check('blind');
  expect(blind).toMatchObject(refused('PERMISSION_DENIED: Access Denied: '));
  expect(blind).toMatchObject(refused(needs));
  expect(await check('bound')).toMatchObject({
    status: 'warn',
    detail: served,
    remedy: expect.stringMatching(
      /^A query whose answer is lost cannot be ended \(PERMISSION_DENIED: Access Denied: .*kill_query.*\)\. Its user/,
    ) as string,
  });
  expect(await check('barred')).toMatchObject(refused('Access Denied: Cannot '));
});

test('a retrieval over HTTP has the engine of its body, whose query has the session and the user that are configured', async () => {
  const name = `served_${Date.now().toString(36)}`;
  const { cwd, configure, staging } = guardedProject(name);
  const session = { query_max_run_time: '2h', 'door.compression_codec': 'GZIP' };
  configure({ options: { 'trino.token': '${TRINO_TOKEN}' }, session });
  const rows = ['1,2026-01-01T00:00:00Z,10', '1,2026-01-02T00:00:00Z,11', '2,2026-01-02T00:00:00Z,20'];
  writeFileSync(join(cwd, 'rows.csv'), `sensor,at,level\n${rows.join('\n')}\n`);
  const source = { table: `shop.${name}`, timestampField: 'at' };
  const entities = [{ name: 'sensor', joinKeys: ['sensor'] }];
  const featureViews = [{ name: 'levels', entities: ['sensor'], source }];
  writeFileSync(join(cwd, 'features.yaml'), JSON.stringify({ entities, featureViews }));
  await moraineOk(['table', 'append', `shop.${name}`, 'rows.csv', '--create'], { cwd });
  await moraineOk(['apply'], { cwd });
  const service = await startServiceProcess(cwd);
  const event_timestamp = ['2026-01-01T12:00:00Z', '2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z'];
  const frame = { sensor: [1, 1, 2], event_timestamp };
  const inserts = async () => {
    const ours = `query LIKE 'INSERT INTO "door"."${staging}"%' AND state = 'FINISHED'`;
    return (await query(`SELECT query_id FROM system.runtime.queries WHERE ${ours}`)).map(([id]) =>
      typeof id === 'string' ? id : '',
    );
  };
  const ask = async (engine: string) => {
    const body = JSON.stringify({ entities: frame, features: ['levels'], engine });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    const answer = await fetch(`${service.url}/get-historical-features`, init);
    return [answer.status, ((await answer.json()) as readonly { readonly level: unknown }[]).map(({ level }) => level)];
  };
  expect(await ask('duckdb')).toEqual([200, [10, 11, null]]);
  expect(await inserts()).toEqual([]);
  expect(await ask('trino')).toEqual([200, [10, 11, null]]);
  const ids = await inserts();
  expect(ids).toHaveLength(1);
  const shown = await fetch(`${lake.trino}/v1/query/${ids[0] ?? ''}`, { headers: { 'x-trino-user': 'test' } });
  expect(((await shown.json()) as { readonly session: unknown }).session).toMatchObject({
    user: 'ada',
    source: 'moraine',
    systemProperties: { query_max_run_time: '2h' },
    catalogProperties: { door: { compression_codec: 'GZIP' } },
  });
});

test('the lost answer of an insert: the query is ended, its table dropped, and the next run has all rows', async () => {
  const proxy = await startFaultyProxy(lake.trino);
  try {
    const { project, deps } = await smallView(`lost_${Date.now().toString(36)}`, { uri: proxy.address });
    let lost = 0;
    proxy.fateOf = ({ method, body }) => {
      if (method !== 'POST' || !body.startsWith('INSERT') || lost > 0) return 'pass';
      lost += 1;
      return 'lose';
    };
    const failure = await failureOf(materializeDirect(deps, { view: 'of_worlds' }));
    expect(failure).toMatchObject({ code: 'TRINO_UNAVAILABLE', retryable: true });
    expect(lost).toBe(1);
    expect(await leftOvers(project)).toEqual([]);
    await materializeDirect(deps, { view: 'of_worlds' });
    const { rows, digest } = await onlineRows(project, 'of_worlds');
    expect(rows).toHaveLength(2);
    expect(await commitsOf(project, 'of_worlds')).toBe(1);
    await materializeDirect({ ...deps, engines: undefined }, { view: 'whole' });
    expect(await leftOvers(project)).toEqual([]);
    const alone = await open('duckdb', `${project.config.online.namespace}_duckdb`);
    const own = { ...(await materializationDeps(alone)), definitions: () => deps.definitions() };
    await materializeDirect(own, { view: 'of_worlds' });
    expect((await onlineRows(alone, 'of_worlds')).digest).toBe(digest);
  } finally {
    await proxy.close();
  }
});

test.skipIf(process.env['MORAINE_DEV_SERVERS'] !== undefined)(
  'a coordinator that is killed in mid query and started again: nothing is left once the next run has ended',
  async () => {
    const { project, deps } = await smallView(`restarted_${Date.now().toString(36)}`);
    const kill = onceInserting(project, () => lake.restartTrino?.() ?? expect.unreachable());
    const failure = await failureOf(materializeDirect(deps, { view: 'of_worlds' }));
    expect(failure).toMatchObject({ code: 'TRINO_UNAVAILABLE' });
    await kill;
    await materializeDirect(deps, { view: 'of_worlds' });
    expect((await onlineRows(project, 'of_worlds')).rows).toHaveLength(2);
    expect(await commitsOf(project, 'of_worlds')).toBe(1);
    expect(await leftOvers(project)).toEqual([]);
  },
);

test('explain, and what doctor tries', async () => {
  const { project, deps, worlds } = await smallView(`doctor_${Date.now().toString(36)}`);
  const [catalog, engine] = [await project.catalog(), await project.engine()];
  const { trino } = await enginesOf(project);
  const sources = [{ name: formatTableName(worlds.identifier), isAsked: true }];
  const checked = await engine.withConnection(async (connection) => await trino?.probe(connection, catalog, sources));
  expect(checked).toEqual({ version: '476', named: 'door', sources: 1, warning: undefined });
  expect(await leftOvers(project)).toEqual([]);
  const entities = { query: { sql: frameSql(worlds.identifier.name) } };
  const { views } = await explainHistoricalFeatures(deps, { entities, features: [{ view: 'whole' }] });
  expect(views.get('whole')?.engine).toEqual({ engine: 'trino', reason: 'engine.type is trino' });
  const small = {
    ...deps,
    engines: { ...(await enginesOf(project)), type: 'auto' as const, trinoAboveBytes: 2 ** 40 },
  };
  const chosen = await explainHistoricalFeatures(small, { entities, features: [{ view: 'whole' }] });
  expect(chosen.views.get('whole')?.engine?.engine).toBe('duckdb');
  expect(chosen.views.get('whole')?.engine?.reason).toMatch(
    /^\d+ bytes after pruning are within engine.trinoAbove \(1099511627776 bytes\)$/,
  );

  // Above the limit, unless the view asks for something else.
  const above = { ...deps, engines: { ...small.engines, trinoAboveBytes: 0 } };
  expect((await materializeDirect(above, { view: 'whole' })).plan.reduction?.engine).toBe('trino');
  const asking = (engine: EngineType, { featureViews, ...more }: Definitions): Definitions => ({
    ...more,
    featureViews: new Map([...featureViews].map(([view, definition]) => [view, { ...definition, engine }])),
  });
  const definitions = await deps.definitions();
  const ofView = (engine: EngineType) => ({
    ...above,
    definitions: () => Promise.resolve(asking(engine, definitions)),
  });
  expect((await materializeDirect(ofView('duckdb'), { view: 'of_worlds' })).plan.reduction).toBeNull();
  await worlds.append();
  const asked = { ...ofView('trino'), engines: { ...small.engines, type: 'duckdb' as const } };
  expect((await materializeDirect(asked, { view: 'of_worlds' })).plan.reduction?.engine).toBe('trino');
});
