/** Every method of the library: arguments of a wrong shape, signals, and calls on a client that is closed or being closed. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMoraine, defineEntity, defineFeatureService, defineFeatureView, type Moraine } from '../../../index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';
import { failureOf } from '../../support/error-code.js';

type Method = Exclude<keyof Moraine, 'project' | 'close'>;
type Call = (...given: unknown[]) => Promise<unknown>;

const ONLINE = { view: 'readings', entities: [{ k: 1 }] };
const HISTORICAL = { features: ['readings:v'], entities: [{ k: 1, event_timestamp: '2026-01-02T00:00:00Z' }] };
const SAVED = { ...HISTORICAL, saveAs: { name: 'saved', to: { table: 'shop.saved' } } };
const PULL = { source: { table: 'shop.a' }, joinKeys: ['k'], features: ['v'], timestampField: 'ts' };
const BACKFILL = { view: 'readings', start: '2026-01-01', end: '2026-01-03', step: '1d' };
const COMPACT = { table: 'shop.a', strategy: 'binpack' };
const SCHEMA = { schemaId: 0, identifierFieldIds: [], fields: [] };
const table = { schema: SCHEMA };

/** Right arguments of each method, and the wrong arguments for each field that can be wrong. */
const METHODS: Record<Method, { right: unknown[]; wrong: [field: string, ...given: unknown[]][] }> = {
  apply: {
    right: [[]],
    wrong: [
      ['definitions'],
      ['definitions', null],
      ['definitions', 'a.yaml'],
      ['options.dryRun', [], { dryRun: 1 }],
      ['options', [], { dry: true }],
    ],
  },
  materialize: {
    right: [{ view: 'readings' }],
    wrong: [
      ['request'],
      ['request', null],
      ['request.view', {}],
      ['request.start', { view: 'v', start: 1 }],
      ['options.signal', { view: 'v' }, { signal: true }],
    ],
  },
  startMaterialize: {
    right: [{ view: 'readings' }],
    wrong: [
      ['request', 'readings'],
      ['request', { view: 'v', from: '2026' }],
    ],
  },
  backfill: {
    right: [BACKFILL],
    wrong: [
      ['request'],
      ['request.view', { ...BACKFILL, view: 1 }],
      ['request.start', { ...BACKFILL, start: new Date(0) }],
      ['request.trainingSet.saveAs', { trainingSet: HISTORICAL }],
      ['request.plan', { plan: 'plan.json' }],
      ['request.concurrency', { ...BACKFILL, concurrency: '2' }],
      ['options.onProgress', BACKFILL, { onProgress: true }],
    ],
  },
  startBackfill: { right: [BACKFILL], wrong: [['request', null]] },
  estimate: {
    right: [{ view: 'readings' }],
    wrong: [
      ['request'],
      ['request.rows', { view: 'readings', rows: '5' }],
      ['"buckets"', { view: 'readings', buckets: 5 }],
    ],
  },
  planBackfill: { right: [BACKFILL], wrong: [['"from"', { ...BACKFILL, from: '2026' }]] },
  pauseBackfill: { right: ['backfill/a'], wrong: [['id'], ['options.signal', 'backfill/a', { signal: 1 }]] },
  resumeBackfill: { right: ['backfill/a'], wrong: [['id', {}]] },
  cancelBackfill: { right: ['backfill/a'], wrong: [['id']] },
  retryBackfill: { right: ['backfill/a'], wrong: [['id']] },
  changeBackfillConcurrency: {
    right: ['backfill/a', 2],
    wrong: [
      ['id', undefined, 2],
      ['concurrency', 'backfill/a'],
      ['concurrency', 'backfill/a', '2'],
    ],
  },
  startIngest: {
    right: [{ table: 'shop.a', source: { kind: 'files', files: ['/x'] }, batchSize: 5, rest: 'more' }],
    wrong: [
      ['input'],
      ['input.source', { table: 'shop.a', source: ['/x'] }],
      ['"follow"', { table: 'shop.a', source: { kind: 'files', files: ['/x'] }, follow: true }],
    ],
  },
  pauseIngest: { right: ['ingest/a/files'], wrong: [['id'], ['options.signal', 'ingest/a/files', { signal: 1 }]] },
  resumeIngest: { right: ['ingest/a/files'], wrong: [['id', {}]] },
  drainIngest: { right: ['ingest/a/files'], wrong: [['id']] },
  changeIngestBatch: {
    right: ['ingest/a/files', { batchSize: 5 }],
    wrong: [
      ['id', undefined, { batchSize: 5 }],
      ['batch', 'ingest/a/files'],
      ['batch.batchSize', 'ingest/a/files', { batchSize: '5' }],
    ],
  },
  ingestStatus: { right: ['ingest/a/files'], wrong: [['id']] },
  compact: {
    right: [COMPACT],
    wrong: [
      ['input', 'shop.a'],
      ['input.strategy', { table: 'shop.a' }],
      ['input.strategy', { ...COMPACT, strategy: 'zip' }],
      ['input.columns', { ...COMPACT, columns: 'k' }],
      ['options.announce', COMPACT, { announce: 1 }],
    ],
  },
  startCompact: { right: [COMPACT], wrong: [['input']] },
  planCompact: { right: [COMPACT], wrong: [['input.table', { strategy: 'binpack' }]] },
  maintain: {
    right: [{ table: 'shop.a' }],
    wrong: [
      ['input', 'shop.a'],
      ['input.retainLast', { table: 'shop.a', retainLast: '1' }],
      ['options.signal', { table: 'shop.a' }, { signal: 1 }],
    ],
  },
  startMaintain: { right: [{ table: 'shop.a' }], wrong: [['input']] },
  planMaintain: { right: [{ table: 'shop.a' }], wrong: [['input.olderThan', { table: 'shop.a', olderThan: 5 }]] },
  createSchedule: {
    right: [{ view: 'readings', every: '1h' }],
    wrong: [
      ['request'],
      ['request.every', { view: 'readings', every: 3600 }],
      ['request.overlap', { view: 'readings', every: '1h', overlap: 'queue' }],
      ['request.input', { workflow: 'compact', input: '{}', every: '1h' }],
    ],
  },
  schedules: { right: [], wrong: [['options.signal', { signal: 1 }]] },
  schedule: { right: ['materialize/readings'], wrong: [['id']] },
  pauseSchedule: { right: ['materialize/readings'], wrong: [['id'], ['options.note', 'a', { note: 1 }]] },
  resumeSchedule: { right: ['materialize/readings'], wrong: [['id']] },
  triggerSchedule: { right: ['materialize/readings'], wrong: [['id']] },
  backfillSchedule: {
    right: ['materialize/readings', { start: '2026-01-01', end: '2026-01-02' }],
    wrong: [
      ['request', 'a'],
      ['request.end', 'a', { start: '2026-01-01' }],
      ['request.overlap', 'a', { start: '2026-01-01', end: '2026-01-02', overlap: 'skip' }],
    ],
  },
  deleteSchedule: { right: ['materialize/readings'], wrong: [['id']] },
  runs: {
    right: [],
    wrong: [
      ['request.status', { status: 'running' }],
      ['request.limit', { limit: 0 }],
      ['request', 'all'],
    ],
  },
  run: { right: ['a'], wrong: [['id'], ['options.runId', 'a', { runId: 1 }]] },
  waitForRun: { right: ['a'], wrong: [['id'], ['options.onProgress', 'a', { onProgress: 1 }]] },
  getOnlineFeatures: {
    right: [ONLINE],
    wrong: [
      ['request'],
      ['request', null],
      ['request.entities', { view: 'readings' }],
      ['request.entities', { view: 'readings', entities: {} }],
      ['request.entities.0', { view: 'readings', entities: [null] }],
      ['request.view', { ...ONLINE, view: 1 }],
      ['request.service', { service: () => 'name', entities: [] }],
      ['request.features', { features: 'readings:v', entities: [] }],
      ['request.features.0', { features: [undefined], entities: [] }],
      ['request.nowUs', { ...ONLINE, nowUs: 1 }],
      ['request.minSnapshots', { ...ONLINE, minSnapshots: {} }],
      ['request.readTimeoutMs', { ...ONLINE, readTimeoutMs: '100' }],
      ['request.signal', { ...ONLINE, signal: {} }],
      ['"entity"', { ...ONLINE, entity: [] }],
    ],
  },
  getHistoricalFeatures: {
    right: [HISTORICAL],
    wrong: [
      ['request'],
      ['request.entities', { features: ['readings:v'] }],
      ['request.entities', { ...HISTORICAL, entities: 'entities.csv' }],
      ['request.entities.0', { ...HISTORICAL, entities: [1] }],
      ['request.entities.file', { ...HISTORICAL, entities: { file: 1 } }],
      ['request.entities.window.start', { ...HISTORICAL, entities: { window: { start: '2026-01-01' } } }],
      ['request.asOf', { ...HISTORICAL, asOf: 1n }],
    ],
  },
  openHistoricalFeatures: {
    right: [HISTORICAL],
    wrong: [['request'], ['request.features', { ...HISTORICAL, features: 1 }]],
  },
  explainHistoricalFeatures: {
    right: [HISTORICAL],
    wrong: [
      ['request', 1],
      ['request.knownAsOf', { ...HISTORICAL, knownAsOf: 'yes' }],
    ],
  },
  saveDataset: {
    right: [SAVED],
    wrong: [['request'], ['request.saveAs', HISTORICAL], ['request.saveAs.to', { ...SAVED, saveAs: { name: 'a' } }]],
  },
  saveTrainingSet: {
    right: [SAVED],
    wrong: [
      ['request', []],
      ['request.shards', { ...SAVED, shards: '2' }],
      ['options.onProgress', SAVED, { onProgress: 1 }],
    ],
  },
  startTrainingSet: {
    right: [SAVED],
    wrong: [['request'], ['request.saveAs.name', { ...SAVED, saveAs: { name: 1, to: { table: 't' } } }]],
  },
  replayDataset: { right: ['saved'], wrong: [['name'], ['name', 1], ['options.signal', 'saved', { signal: 1 }]] },
  datasets: { right: [], wrong: [] },
  pullAll: {
    right: [PULL],
    wrong: [
      ['request'],
      ['request.source', { ...PULL, source: 'shop.a' }],
      ['request.start', { ...PULL, start: new Date('x') }],
    ],
  },
  pullLatest: {
    right: [PULL],
    wrong: [
      ['request', null],
      ['request.joinKeys', { ...PULL, joinKeys: 'k' }],
    ],
  },
  openFeatureLogger: {
    right: ['served'],
    wrong: [
      ['service'],
      ['options.batchRows', 'served', { batchRows: '1' }],
      ['options.onError', 'served', { onError: 1 }],
    ],
  },
  writeLoggedFeatures: {
    right: ['served', []],
    wrong: [
      ['service'],
      ['served', 'served'],
      ['served', 'served', {}],
      ['served.0.response', 'served', [{ entities: [] }]],
    ],
  },
  loggedFeatures: {
    right: [{ service: 'served' }],
    wrong: [['request'], ['request.service', {}], ['request.start', { service: 's', start: 1 }]],
  },
  compareLoggedFeatures: {
    right: [{ service: 'served' }],
    wrong: [['request'], ['request.partRows', { service: 's', partRows: '1' }]],
  },
  createTable: {
    right: ['shop.x', table],
    wrong: [
      ['name'],
      ['table', 'shop.x'],
      ['table.schema', 'shop.x', {}],
      ['table.formatVersion', 'shop.x', { ...table, formatVersion: 4 }],
    ],
  },
  appendFile: {
    right: ['shop.a', '/x.csv'],
    wrong: [
      ['name', undefined, '/x.csv'],
      ['file', 'shop.a'],
      ['options.create', 'shop.a', '/x.csv', { create: 'yes' }],
    ],
  },
  replayDeadLetters: {
    right: ['shop.dead', { table: 'shop.a', dryRun: true }],
    wrong: [
      ['name', undefined],
      ['options.times.at', 'shop.dead', { times: { at: 'epoch' } }],
      ['options.batchSize', 'shop.dead', { batchSize: '5' }],
    ],
  },
  sinkFiles: {
    right: ['shop.a', ['/x.ndjson'], { name: 's', batchSize: 5 }],
    wrong: [
      ['name', undefined, ['/x.ndjson']],
      ['inputs', 'shop.a', '/x.ndjson'],
      ['inputs.0', 'shop.a', [{ name: 'x', stream: [] }]],
      ['options.times.at', 'shop.a', ['/x.ndjson'], { times: { at: 'epoch' } }],
      ['options.badRecords', 'shop.a', ['/x.ndjson'], { badRecords: 'keep' }],
      ['options.raw', 'shop.a', ['/x.ndjson'], { raw: 1 }],
      ['options.error', 'shop.a', ['/x.ndjson'], { raw: 'r', error: true }],
      ['options.batchSize', 'shop.a', ['/x.ndjson'], { batchSize: 'many' }],
      ['options.follow', 'shop.a', ['/x.ndjson'], { follow: 'yes' }],
    ],
  },
  sinkKafka: {
    right: ['shop.a', { brokers: ['127.0.0.1:1'], topic: 't', batchSize: 5, timeoutMs: 1 }],
    wrong: [
      ['name', undefined, { brokers: ['h:1'], topic: 't' }],
      ['options.brokers', 'shop.a', { brokers: 'h:1', topic: 't' }],
      ['options.topic', 'shop.a', { brokers: ['h:1'] }],
      [
        'options.sasl.mechanism',
        'shop.a',
        { brokers: ['h:1'], topic: 't', sasl: { mechanism: 'GSSAPI', username: 'u', password: 'p' } },
      ],
      ['options.times.at', 'shop.a', { brokers: ['h:1'], topic: 't', times: { at: 'epoch' } }],
    ],
  },
  onlineWriteBatch: {
    right: [{ view: 'readings', rows: [{ k: 1, v: 11, event_timestamp: new Date(0) }] }],
    wrong: [
      ['request'],
      ['request.rows', { view: 'readings', rows: { window: {} } }],
      ['request.key', { view: 'readings', rows: [], key: 1 }],
    ],
  },
  push: {
    right: [{ source: 'pushed', rows: [{ k: 1, v: 11, ts: new Date(0) }] }],
    wrong: [
      ['request'],
      ['request.source', { rows: [] }],
      ['request.rows', { source: 'pushed', rows: 'rows.csv' }],
      ['request.to', { source: 'pushed', rows: [], to: 'both' }],
    ],
  },
  teardownOnline: {
    right: [{ views: ['readings'], dryRun: true }],
    wrong: [
      ['options.views', { views: 'readings' }],
      ['options.dryRun', { dryRun: 1 }],
    ],
  },
  deleteRows: {
    right: ['shop.a', 'k = 0'],
    wrong: [['name'], ['where', 'shop.a', () => true], ['options', 'shop.a', 'k = 0', { dry: true }]],
  },
  tables: { right: [], wrong: [] },
  views: { right: [], wrong: [] },
  view: { right: ['readings'], wrong: [['name'], ['name', { name: 'readings' }]] },
  services: { right: [], wrong: [] },
  entities: { right: [], wrong: [] },
  moveTable: { right: ['shop.a', { to: 'other' }], wrong: [['name'], ['options.to', 'shop.a', {}]] },
  upgradeTable: { right: ['shop.a', 2], wrong: [['name'], ['formatVersion', 'shop.a', '3']] },
};

const names = Object.keys(METHODS) as Method[];
const call =
  (client: Moraine, name: Method): Call =>
  (...given) =>
    (client as Record<Method, Call>)[name](...given);

let moraine: Moraine;
let folder: string;
const open = () =>
  createMoraine({
    cwd: folder,
    config: { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 1 } },
    fileFolders: [folder],
  });

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-calls-')));
  moraine = await open();
  writeFileSync(join(folder, 'rows.csv'), 'k,ts,v\n1,2026-01-01T00:00:00Z,10\n');
  await moraine.appendFile('shop.a', join(folder, 'rows.csv'), { create: true });
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const readings = defineFeatureView({
    name: 'readings',
    entities: [thing],
    source: { table: 'shop.a', timestampField: 'ts' },
    online: true,
    features: [{ name: 'v' }],
    pushSource: 'pushed',
  });
  await moraine.apply([thing, readings, defineFeatureService({ name: 'served', features: [readings] })]);
  await materializeDirect(await materializationDeps(moraine.project), { view: 'readings' });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('arguments of a wrong shape', () => {
  it.each(
    names.flatMap((name) => METHODS[name].wrong.map((wrong): [Method, string, ...unknown[]] => [name, ...wrong])),
  )('of %s: %s is named by INVALID_ARGUMENT', async (name, field, ...given) => {
    const failure = await failureOf(call(moraine, name)(...given));
    expect(failure).toMatchObject({ name: 'MoraineError', code: 'INVALID_ARGUMENT' });
    expect((failure as Error).message).toContain(field);
  });

  it('are none of what the types have: metadataVersions of maintenance, readKeyValue of what was served', async () => {
    const plan = await moraine.planMaintain({ table: 'shop.a', metadataVersions: 5 });
    await plan.close();
    const asked = { entities: [{ k: '1' }], readKeyValue: (_type: unknown, value: unknown) => BigInt(String(value)) };
    const response = await moraine.getOnlineFeatures({ service: 'served', ...asked });
    expect(response.rows[0]?.[0]).toMatchObject({ value: 10n });
    const written = moraine.writeLoggedFeatures('nobody', [{ response, ...asked }]);
    await expect(written).rejects.toMatchObject({ code: 'FEATURE_SERVICE_NOT_FOUND' });
  });

  it('of createMoraine are named, too', async () => {
    const create = createMoraine as Call;
    for (const [field, options] of [
      ['options', null],
      ['options.cwd', { cwd: 1 }],
      ['"folder"', { folder: 'a' }],
    ] as const) {
      const failure = await failureOf(create(options));
      expect(failure).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(field) as string });
    }
  });
});

describe('an aborted signal', () => {
  const aborted = { signal: AbortSignal.abort() };

  it.each([
    ['getOnlineFeatures', { ...ONLINE, ...aborted }],
    ['getHistoricalFeatures', { ...HISTORICAL, ...aborted }],
    ['openHistoricalFeatures', { ...HISTORICAL, ...aborted }],
    ['explainHistoricalFeatures', { ...HISTORICAL, ...aborted }],
    ['saveDataset', { ...SAVED, ...aborted }],
    ['saveTrainingSet', { ...SAVED, ...aborted }],
    ['replayDataset', 'saved', aborted],
    ['pullAll', { ...PULL, ...aborted }],
    ['pullLatest', { ...PULL, ...aborted }],
    ['loggedFeatures', { service: 'served', ...aborted }],
    ['compareLoggedFeatures', { service: 'served', ...aborted }],
    ['materialize', { view: 'readings' }, aborted],
    ['backfill', BACKFILL, aborted],
    ['pauseBackfill', 'backfill/a', aborted],
    ['resumeBackfill', 'backfill/a', aborted],
    ['cancelBackfill', 'backfill/a', aborted],
    ['retryBackfill', 'backfill/a', aborted],
    ['changeBackfillConcurrency', 'backfill/a', 2, aborted],
    ['pauseIngest', 'ingest/a/files', aborted],
    ['resumeIngest', 'ingest/a/files', aborted],
    ['drainIngest', 'ingest/a/files', aborted],
    ['changeIngestBatch', 'ingest/a/files', { batchSize: 5 }, aborted],
    ['ingestStatus', 'ingest/a/files', aborted],
    ['compact', COMPACT, aborted],
    ['maintain', { table: 'shop.a' }, aborted],
    ['createSchedule', { view: 'readings', every: '1h' }, aborted],
    ['schedules', aborted],
    ['schedule', 'a', aborted],
    ['pauseSchedule', 'a', aborted],
    ['resumeSchedule', 'a', aborted],
    ['triggerSchedule', 'a', aborted],
    ['backfillSchedule', 'a', { start: '2026-01-01', end: '2026-01-02' }, aborted],
    ['deleteSchedule', 'a', aborted],
    ['push', { source: 'pushed', rows: [{ k: 1, v: 11, ts: new Date(0) }], ...aborted }],
    ['runs', aborted],
    ['run', 'a', aborted],
    ['waitForRun', 'a', aborted],
    ['appendFile', 'shop.a', '/x.csv', aborted],
    ['deleteRows', 'shop.a', 'k = 0', aborted],
  ] as [Method, ...unknown[]][])('cancels %s', async (name, ...given) => {
    expect(await failureOf(call(moraine, name)(...given))).toMatchObject({ code: 'CANCELLED' });
  });

  it('cancels an online read that has begun', async () => {
    const controller = new AbortController();
    const reading = moraine.getOnlineFeatures({ ...ONLINE, signal: controller.signal });
    controller.abort();
    expect(await failureOf(reading)).toMatchObject({ code: 'CANCELLED' });
    expect((await moraine.getOnlineFeatures(ONLINE)).rows).toMatchObject([[{ value: 10n }]]);
  });
});

describe('a closed client', () => {
  it.each(names)('rejects %s with CLOSED', async (name) => {
    const closed = await open();
    await closed.close();
    expect(await failureOf(call(closed, name)(...METHODS[name].right))).toMatchObject({ code: 'CLOSED' });
    await closed.close();
  });

  it('has ended or cancelled what was in flight, and closed what was open', async () => {
    const client = await open();
    const reader = await client.pullAll(PULL);
    const logger = await client.openFeatureLogger('served');
    const { response } = { response: await client.getOnlineFeatures(ONLINE) };
    logger.log({ response, entities: ONLINE.entities });
    const sql = { sql: 'SELECT count(*) AS n FROM range(100000000) a, range(1000) b', tables: {} };
    let settled = 0;
    const calls = [
      client.datasets(),
      client.createTable('shop.while_closing', table as never),
      reader.toRows(),
      client.getOnlineFeatures(ONLINE),
      client.getHistoricalFeatures({ ...HISTORICAL, entities: sql }),
    ].map((promise) =>
      promise
        .then(
          () => 'ended',
          (error: unknown) => (error as { code?: string }).code,
        )
        .finally(() => settled++),
    );
    await client.close();
    expect(settled).toBe(calls.length);
    const [listed, created, read, online, historical] = await Promise.all(calls);
    expect([listed, created, read]).toEqual(['ended', 'ended', 'ended']);
    expect(['ended', 'CANCELLED']).toContain(online);
    expect(historical).toBe('CANCELLED');
    expect(await failureOf(reader.toRows())).toMatchObject({ code: 'CLOSED' });
    expect(() => logger.log({ response, entities: ONLINE.entities })).toThrow('The feature logger is closed.');
    const after = await moraine.loggedFeatures({ service: 'served' });
    expect(await after.toRows()).toHaveLength(1);
    await after.close();
  });
});
