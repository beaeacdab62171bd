/**
 * The production shape, as far as it can be checked without Docker: `temporal-compose.yml` against the schema of the
 * Compose specification, and the worker's service as a process with its exact command and environment.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { createMoraine } from '../../index.js';
import { startMaterialization, waitForRun } from '../../workers/index.js';
import { moraine, moraineOk } from '../support/cli.js';
import { projectRoot } from '../support/paths.js';
import { startServiceProcess } from '../support/service-process.js';
import { SmallProject } from '../support/small-project.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings } from '../support/temporal.js';
import { startWorkerProcess } from '../support/worker-process.js';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly restart?: string;
  readonly volumes?: readonly string[];
  readonly expose?: readonly string[];
  readonly profiles?: readonly string[];
}

const pick = ({ command, healthcheck }: Service = {}): object => ({ command, healthcheck });

const FILE = join(projectRoot, 'temporal-compose.yml');
const text = readFileSync(FILE, 'utf8');
const { services } = parse(text) as { services: Readonly<Record<string, Service>> };

/** The part of the linter that is used here; its own types do not resolve. */
interface Linter {
  lintFiles(paths: readonly string[], fix: boolean): readonly { readonly messages: readonly LintMessage[] }[];
}
interface LintMessage {
  readonly rule: string;
  readonly type: 'error' | 'warning';
  readonly category: string;
  readonly message: string;
}

/** The findings of a linter with the Compose schema; questions of order and style are left out. */
async function problems(path: string): Promise<string[]> {
  const module: { DCLinter: new (config: object) => Linter } = await import('dclint');

  const linter = new module.DCLinter({ rules: {}, quiet: false, debug: false, exclude: [] });
  return linter
    .lintFiles([path], false)
    .flatMap(({ messages }) => messages)
    .filter(({ type, category }) => type === 'error' || category !== 'style')
    .map(({ rule, message }) => `${rule}: ${message}`);
}

describe('temporal-compose.yml', () => {
  test('is valid, and a mistake in it would be found', async () => {
    expect(await problems(FILE)).toEqual([]);
    expect(await problems(join(projectRoot, 'examples/trino-nessie/compose.yml'))).toEqual([]);
    const broken = join(temporaryFolder(), 'temporal-compose.yml');
    writeFileSync(broken, text.replace('healthcheck:', 'healthchek:'));
    expect((await problems(broken)).join('\n')).toContain('/services/postgresql');
  });

  test('has a database, a server, a web UI, a worker and the HTTP service', () => {
    expect(Object.keys(services).sort()).toEqual(
      [
        ...['postgresql', 'temporal', 'temporal-namespace', 'temporal-schema', 'temporal-ui', 'worker', 'serve'],
        ...['lake-catalog', 'lake-worker', 'lake-serve', 'store'],
      ].sort(),
    );
    expect(services['postgresql']?.healthcheck).toBeDefined();
    expect(services['temporal']?.healthcheck).toBeDefined();
  });

  test('publishes ports on loopback only', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports.toSorted()).toEqual(
      [
        ...['127.0.0.1:7233:7233', '127.0.0.1:8080:8080', '127.0.0.1:5432:5432', '127.0.0.1:7070:7070'],
        ...['127.0.0.1:6566:6566', '127.0.0.1:6567:6566'],
      ].toSorted(),
    );
  });

  test('pins every image, those of the Dockerfile included', () => {
    const dockerfile = readFileSync(join(projectRoot, 'Dockerfile'), 'utf8');
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    const images = Object.values(services).flatMap(({ image }) => image ?? []);
    expect(images).toHaveLength(7);
    expect(bases).toHaveLength(2);
    for (const image of [...images, ...bases]) expect(image).toMatch(/^[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?$/);
  });

  test('the schema and server images are of one version', () => {
    const versions = ['temporal', 'temporal-schema', 'temporal-namespace'].map(
      (name) => services[name]?.image?.split(':')[1],
    );
    expect(new Set(versions).size).toBe(1);
  });
});

describe('the profile lake', () => {
  test('has workers without a folder of the host; its services start by no other profile', () => {
    expect(services['lake-worker']?.volumes).toBeUndefined();
    const own = Object.entries(services).filter(([, { profiles }]) => profiles !== undefined);
    expect(own.map(([name, { profiles }]) => [name, profiles])).toEqual([
      ['lake-catalog', ['lake']],
      ['store', ['lake']],
      ['lake-worker', ['lake']],
      ['lake-serve', ['lake']],
    ]);
    const { command, healthcheck, expose } = services['worker'] ?? {};
    expect(services['lake-worker']).toMatchObject({ command, healthcheck, expose });
    expect(services['lake-serve']).toMatchObject(pick(services['serve']));
  });
});

describe('the HTTP service of temporal-compose.yml', () => {
  test('as a process with its command and environment serves those who have a key, and its health check says so', async () => {
    const serve = services['serve'];
    expect(serve?.volumes?.[0]).toMatch(/:\/project$/);
    expect(serve?.restart).toBe('unless-stopped');
    const small = await SmallProject.create();
    await small.append(300);
    const host = await createMoraine({ cwd: small.folder });
    await host.onlineWriteBatch({ view: small.view, rows: [{ sensor: 5, event_ts: '2026-03-01', reading: 7 }] });
    await host.close();
    const [command, ...args] = serve?.command ?? [];
    expect([command, ...args]).toEqual(['serve', '--host', '0.0.0.0']);
    const options = { cwd: small.folder, env: { ...serve?.environment, TEMPORAL_ADDRESS: undefined } };
    // Without keys the service does not start on such an address.
    const refused = await moraine([...(serve?.command ?? []), '--port', '0'], options);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('no API keys are configured')]);
    const config = join(small.folder, 'moraine.yaml');
    writeFileSync(config, `${readFileSync(config, 'utf8')}server: { keys: api-keys.json }\n`);
    const key = (await moraineOk(['serve', 'key', 'create', 'model', '--scope', 'read'], options)).trim();

    const running = await startServiceProcess(small.folder, ...args);
    const local = running.url.replace('0.0.0.0', '127.0.0.1');
    const read = async (headers: Readonly<Record<string, string>>) => {
      const body = JSON.stringify({ entities: { sensor: [5] }, features: [`${small.view}:reading`] });
      const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body };
      const answer = await fetch(`${local}/get-online-features`, init);
      return [answer.status, await answer.text()];
    };
    expect(await read({})).toEqual([401, expect.stringContaining('UNAUTHENTICATED')]);
    expect(await read({ authorization: `Bearer ${key}` })).toEqual([200, expect.stringContaining('"values":[7')]);
    const [kind, program = '', ...rest] = serve?.healthcheck?.test ?? [];
    expect([kind, program]).toEqual(['CMD', 'node']);
    const check = rest.map((word) => word.replace('127.0.0.1:6566', new URL(local).host));
    const healthy = () => spawnSync(process.execPath, check).status;
    expect(healthy()).toBe(0);
    expect(await running.stop()).toBe(0);
    expect(healthy()).toBe(1);
  });
});

describe('the worker of temporal-compose.yml', () => {
  test('as a process with its command and environment materializes, and ends by itself on SIGTERM', async () => {
    const worker = services['worker'];
    expect(worker?.volumes?.[0]).toMatch(/:\/project$/);
    const small = await SmallProject.create();
    await small.append(300);
    const settings = testSettings();
    // The tables were made on the host. In the container the folder is mounted elsewhere; the server's name is resolved by Compose.
    const mounted = join(temporaryFolder(), 'project');
    const config = join(small.folder, 'moraine.yaml');
    const locations = [small.folder, mounted].map((folder) => `    ${folder}/warehouse: warehouse\n`).join('');
    const added = `temporal: { taskQueue: ${settings.taskQueue} }\nstorage:\n  locations:\n${locations}`;
    writeFileSync(config, `${readFileSync(config, 'utf8')}${added}`);
    renameSync(small.folder, mounted);
    expect(worker?.environment?.['TEMPORAL_ADDRESS']).toBe('temporal:7233');
    const environment = { ...worker?.environment, TEMPORAL_ADDRESS: settings.address };
    // Inside the container all interfaces are the containers' network; here they are those of the machine.
    const command = (worker?.command ?? []).map((word) => word.replace('0.0.0.0:9464', '127.0.0.1:0'));
    expect(command).toEqual(['worker', '--health', '127.0.0.1:0']);
    const process = await startWorkerProcess(mounted, command, environment);
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: small.view });
    expect(await waitForRun(temporal.client, run)).toMatchObject({ rows: '100' });
    process.kill('SIGTERM');
    expect(await process.ended).toEqual({ code: 0, signal: null });
    renameSync(mounted, small.folder);
    await expectSameWarehouse(small, mounted);
  });

  /** The host reads what the container wrote; each table keeps the prefix that it was made with. */
  async function expectSameWarehouse(small: SmallProject, mounted: string): Promise<void> {
    const host = await createMoraine({ cwd: small.folder });
    onTestFinished(() => host.close());
    const tables = [small.table, `moraine_online.${small.view}`].map((name) => host.project.loadTable(name));
    expect((await Promise.all(tables)).map(({ metadata }) => metadata.location)).toEqual([
      `${small.folder}/warehouse/demo/readings`,
      `${mounted}/warehouse/moraine_online/${small.view}`,
    ]);
    const request = { features: [`${small.view}:reading`], entities: [{ sensor: 5n }] };
    expect((await host.getOnlineFeatures(request)).rowsByName).toMatchObject([{ reading: { value: 205 } }]);
  }

  test('the image runs the moraine command in /project, as an ordinary user', () => {
    const dockerfile = readFileSync(join(projectRoot, 'Dockerfile'), 'utf8');
    expect(dockerfile).toContain('ENTRYPOINT ["tini", "--", "moraine"]');
    expect(dockerfile).toContain('ln -s /app/dist/cli/main.js /usr/local/bin/moraine');
    expect(dockerfile).toMatch(/^USER node$[\s\S]*^WORKDIR \/project$/m);
  });
});
