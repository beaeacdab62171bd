/**
 * Secrets after runs with failures. A store and a catalog fail now and then, and repeat in their errors what they were sent. Every secret of the
 * test has a mark, which is searched for wherever a run leaves something.
 */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { openProject } from '../../project/index.js';
import { moraine } from '../support/cli.js';
import { IS_LONG_FORM } from '../support/environment.js';
import { rejectionCode } from '../support/error-code.js';
import {
  type Fate,
  type FaultyProxy,
  type ProxyAnswer,
  type SeenRequest,
  startFaultyProxy,
} from '../support/faulty-proxy.js';
import { startOtlpReceiver } from '../support/otlp-receiver.js';
import { PASSWORD, type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { s3OfRest, startRestServer } from '../support/rest-server.js';
import { RotatedKeys } from '../support/rotated-keys.js';
import { historiesOf } from '../support/run-histories.js';
import { type ServerWithUsers, startMinio } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testSettings } from '../support/temporal.js';
import { startWorkerProcess } from '../support/worker-process.js';

/** Beginnings of every secret. */
const [MARK, ...OTHER_MARKS] = ['canary-secret', 'canary-password'] as const;
const holdsSecret = (bytes: Buffer | string): boolean => [MARK, ...OTHER_MARKS].some((mark) => bytes.includes(mark));
const VIEW = 'customer_activity';
const SOURCE = 'shop.customer_orders';

let store: ServerWithUsers;
let storeProxy: FaultyProxy;
let postgres: PostgresServer;
beforeAll(async () => {
  [store, postgres] = await Promise.all([startMinio(), startPostgres()]);
  await store.makeBucket('lake');
  storeProxy = await startFaultyProxy(store.endpoint, { remembers: false });
});
afterAll(async () => {
  await Promise.all([storeProxy.close(), store.close(), postgres.close()]);
});

/** An error that repeats what the server was sent to prove who asks. */
const echo = ({ headers, body }: SeenRequest, status: number): ProxyAnswer => {
  const message = JSON.stringify([headers['authorization'], headers['x-amz-security-token'], body]).slice(0, 500);
  return { status, body: JSON.stringify({ error: { type: 'EchoException', message, code: status } }) };
};

/** Numbers requests; each `every`-th one has this fate. */
function nowAndThen(every: number, fate: (seen: SeenRequest) => Fate): (seen: SeenRequest) => Fate {
  let count = 0;
  return (seen) => ((count += 1) % every === 0 ? fate(seen) : 'pass');
}

/** The state of the catalog: well, failing now and then, or refusing the source table, which commands that start a run do not ask for. */
let catalogState: 'well' | 'failing' | 'refusing' = 'well';
let refusals = 0;

const CATALOGS = {
  'on REST with OAuth2, with credentials that the catalog gives': async () => {
    const keys = await RotatedKeys.start(store, { everyMs: 10_000, lifeMs: 20_000 });
    onTestFinished(() => keys.stop());
    const rest = await startRestServer('s3://lake/rest', { ...s3OfRest(store), 'access-file': keys.file });
    const proxy = await startFaultyProxy(rest.uriOf('').replace(/\/$/, ''));
    onTestFinished(async () => {
      await proxy.close();
      await rest.close();
    });
    const busy = nowAndThen(7, (seen) => echo(seen, seen.method === 'GET' ? 503 : 429));
    const lost = nowAndThen(11, (seen) => () => echo(seen, 500));
    let tokens = 0;
    proxy.fateOf = (seen) => {
      if (seen.path.endsWith('/oauth/tokens')) {
        const token = { access_token: `${MARK}-token-${(tokens += 1)}`, token_type: 'bearer', expires_in: 5 };
        return { status: 200, body: JSON.stringify(token) };
      }
      if (!String(seen.headers['authorization']).startsWith(`Bearer ${MARK}-token-`)) return echo(seen, 401);
      if (catalogState === 'well') return 'pass';
      if (catalogState === 'refusing') {
        if (!/\/customer_orders$/.test(seen.path)) return 'pass';
        refusals += 1;
        return echo(seen, 403);
      }
      return seen.method === 'POST' && /\/tables\/\w+$/.test(seen.path) ? lost(seen) : busy(seen);
    };
    return `
catalogs: { lake: { type: rest, uri: "${proxy.address}/secrets", options: { credential: "\${LAKE_CREDENTIAL}" } } }
storage: { roots: [s3://lake/rest], options: { s3.endpoint: "${storeProxy.address}", s3.region: us-east-1 } }
`;
  },
  'on PostgreSQL, with keys of the environment': async () => {
    const uri = new URL(await postgres.makeDatabase());
    return `
catalogs: { lake: { type: sql, uri: "postgresql://${uri.username}:\${LAKE_PASSWORD}@${uri.host}${uri.pathname}", warehouse: s3://lake/sql } }
storage:
  options:
    s3.endpoint: "${storeProxy.address}"
    s3.region: us-east-1
    s3.access-key-id: ${store.options['s3.access-key-id']}
    s3.secret-access-key: \${LAKE_SECRET_KEY}
`;
  },
} as const;

/** Every file below a folder, by name. */
function filesBelow(folder: string): ReadonlyMap<string, Buffer> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name));
  return new Map(paths.map((path) => [path, readFileSync(path)]));
}

/** Every object of the store, unpacked where it is packed. */
async function objects(): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  let token: string | undefined;
  do {
    const page = await store.client.send(new ListObjectsV2Command({ Bucket: 'lake', ContinuationToken: token }));
    for (const { Key: key = '' } of page.Contents ?? []) {
      const { Body } = await store.client.send(new GetObjectCommand({ Bucket: 'lake', Key: key }));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      found.set(key, bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);
    }
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return found;
}

/** What the query engine knows while it holds a table of the project. */
async function engineSettings(folder: string): Promise<string> {
  const project = await openProject({ cwd: folder });
  try {
    expect((await project.loadTable(SOURCE)).metadata.snapshots.length).toBeGreaterThan(0);
    const engine = await project.engine();
    return await engine.withConnection(async (connection) => {
      // The engine is locked: it cannot even look where secrets of its own would be kept.
      expect(await rejectionCode(connection.rows('SELECT * FROM duckdb_secrets()'))).toBe('LOCATION_REFUSED');
      return JSON.stringify(await connection.rows('SELECT name, value FROM duckdb_settings()'));
    });
  } finally {
    await project.close();
  }
}

const kinds = [
  'on REST with OAuth2, with credentials that the catalog gives',
  'on PostgreSQL, with keys of the environment',
] as const;

test.each(IS_LONG_FORM ? kinds : kinds.slice(0, 1))(
  '%s: no secret is in a history, a log, a metric, a trace, an output, a file or a setting of the engine',
  async (kind) => {
    const { address, taskQueue } = testSettings();
    const queue = `${taskQueue}-secrets`;
    const receiver = await startOtlpReceiver();
    onTestFinished(() => receiver.close());
    const [folder, temporary] = [temporaryFolder(), temporaryFolder()];
    const env = {
      LAKE_CREDENTIAL: `me:${MARK}-of-the-client-${randomUUID()}`,
      LAKE_PASSWORD: PASSWORD,
      LAKE_SECRET_KEY: store.options['s3.secret-access-key'] ?? '',
      AWS_EC2_METADATA_DISABLED: 'true',
      TEMPORAL_ADDRESS: address,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
      OTEL_BSP_SCHEDULE_DELAY: '200',
      TMPDIR: temporary,
    };
    const outputs: string[] = [];
    const run = async (...args: string[]): Promise<number | null> => {
      const { code, stdout, stderr } = await moraine(['--verbose', ...args], { cwd: folder, env });
      outputs.push(`moraine ${args.join(' ')}\n${stdout}\n${stderr}`);
      return code;
    };
    const ok = async (...args: string[]): Promise<void> => {
      expect(await run(...args), outputs.at(-1)).toBe(0);
    };
    await ok('init', '.');
    const config = `${await CATALOGS[kind]()}
temporal: { taskQueue: ${queue} }
online: { buckets: 2 }
definitions: [features.yaml]
`;
    writeFileSync(join(folder, 'moraine.yaml'), config);
    const failing = nowAndThen(13, (seen) => echo(seen, 503));
    const broken = nowAndThen(29, () => 'drop');
    storeProxy.fateOf = (seen) => {
      const fate = failing(seen);
      return fate === 'pass' ? broken(seen) : fate;
    };

    catalogState = 'well';
    const worker = await startWorkerProcess(folder, ['worker', '--health', '127.0.0.1:0'], env);
    onTestFinished(async () => {
      worker.kill('SIGKILL');
      await worker.ended;
    });
    const url = /health (http:\S+)\/healthz/.exec(worker.errors())?.[1] ?? '';
    await ok('table', 'append', SOURCE, 'data/customer_orders.csv', '--create', '--partition', 'month(event_ts)');
    await ok('apply');
    catalogState = 'refusing';
    const first = run('materialize', VIEW, '--wait', '--json');
    if (kind.startsWith('on REST')) await expect.poll(() => refusals, { timeout: 60_000 }).toBeGreaterThan(2);
    catalogState = 'failing';
    expect(await first, outputs.at(-1)).toBe(0);
    const workflowId = /"workflowId":\s*"([^"]+)"/.exec(outputs.at(-1) ?? '')?.[1] ?? expect.unreachable();
    await ok('run', 'show', workflowId);
    await ok('backfill', VIEW, '--start', '2026-01-01', '--end', '2026-01-05', '--step', '2d', '--wait');
    await ok('compact', SOURCE, '--strategy', 'binpack', '--wait');
    await ok('maintain', SOURCE, '--older-than', '1d', '--orphans-older-than', '3d', '--wait');
    const wellEnough = storeProxy.fateOf;
    catalogState = 'refusing';
    storeProxy.fateOf = (seen) => echo(seen, 403);
    expect(await run('doctor')).not.toBe(0);
    for (const args of [
      ['table', 'list'],
      ['table', 'scan', SOURCE],
    ])
      await run(...args);
    catalogState = 'well';
    storeProxy.fateOf = wellEnough;
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());

    const histories = await historiesOf(queue);
    expect(histories.length).toBeGreaterThanOrEqual(4);
    if (kind.startsWith('on REST')) expect(histories.join()).toContain('EchoException');
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('moraine_storage_requests_total');
    expect(receiver.bodies.length).toBeGreaterThan(0);
    const places: Readonly<Record<string, string>> = {
      histories: histories.join('\n'),
      'log of the worker': worker.errors(),
      'output of commands': outputs.join('\n'),
      metrics,
      traces: receiver.bodies.join('\n'),
      'settings of the engine': await engineSettings(folder),
    };
    for (const [place, text] of Object.entries(places)) expect(holdsSecret(text), place).toBe(false);
    const files = new Map([...filesBelow(folder), ...filesBelow(temporary), ...(await objects())]);
    expect(files.size).toBeGreaterThan(20);
    expect([...files].filter(([, bytes]) => holdsSecret(bytes)).map(([name]) => name)).toEqual([]);
  },
);
