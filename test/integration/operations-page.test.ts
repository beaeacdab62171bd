/** docs/operations.md is run as it stands: every shell block, in order, in a project with workers of its own; what it shows and promises is there. */
import { appendFileSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePorts } from '../../workers/server/free-ports.js';
import { type CodeBlock, codeBlocks, shownPattern } from '../support/code-blocks.js';
import { appendRows, dataFiles, delaysOf, MARCH, makeOperationsProject } from '../support/operations-project.js';
import { OwnTemporalServer } from '../support/own-temporal-server.js';
import { PageShell } from '../support/page-shell.js';
import { projectRoot } from '../support/paths.js';
import { lastingFolder } from '../support/temp-folder.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const PAGE = readFileSync(join(projectRoot, 'docs/operations.md'), 'utf8');
const POLL = { timeout: 60_000, interval: 200 };

/** Blocks that are not run here, by a text that only they have, and why. */
const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ['taskQueue: recommendations', 'a second project on one server: test/integration/two-projects.test.ts'],
  ['buildId: ${BUILD_ID}', 'a deployment needs workers of two builds: test/integration/worker-versions.test.ts'],
  ...['before.ts', 'unguarded.ts', 'after.ts'].map(
    (title) => [title, 'workflows of one’s own: test/integration/worker-versions.test.ts'] as const,
  ),
]);

interface Step {
  before?(): Promise<void>;
  after?(output: string): Promise<void> | void;
}

const lasting = lastingFolder();
const folder = lasting.path;
const workers = new Map<string, WorkerProcess>();
let server: OwnTemporalServer;
let connection: Connection;
let shell: PageShell;
/** Addresses and paths of the page, each with what stands for it here. */
const standIns = new Map<string, string>();
let health: readonly string[] = [];

beforeAll(async () => {
  // The page's configuration takes it from the environment.
  vi.stubEnv('KAFKA_PASSWORD', 'secret');
  server = await OwnTemporalServer.start(join(folder, 'temporal'));
  connection = await Connection.connect({ address: server.address });
  const [light, heavy, codec] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`);
  health = [light ?? '', heavy ?? ''];
  standIns.set('temporal.example.com:7233', server.address);
  standIns.set('127.0.0.1:9464', light ?? '');
  standIns.set('127.0.0.1:8081', codec ?? '');
  await makeOperationsProject(folder, server.address);
  const PATH = `${join(folder, 'bin')}:${process.env['PATH']}`;
  shell = new PageShell(folder, { TEMPORAL_ADDRESS: undefined, PATH });
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await shell.interruptAll();
  for (const worker of workers.values()) worker.kill('SIGKILL');
  await connection.close();
  await server.kill();
  lasting.remove();
});

/** A text of the page as it is run here. */
const here = (text: string): string => [...standIns].reduce((all, [shown, real]) => all.replaceAll(shown, real), text);

async function startWorker(roles: string, ...more: readonly string[]): Promise<void> {
  const keys = { MORAINE_ENCRYPTION_KEY_FILE: join(folder, 'moraine.keys') };
  workers.set(roles, await startWorkerProcess(folder, ['worker', '--roles', roles, ...more], keys));
}

/** Ends a worker as a supervisor does; it answers with 0. */
async function stopWorker(roles: string): Promise<void> {
  const worker = workers.get(roles);
  worker?.kill('SIGTERM');
  expect(await worker?.ended).toEqual({ code: 0, signal: null });
}

const startHeavy = (): Promise<void> => startWorker('heavy', '--health', health[1] ?? '');

async function page(address: string | undefined, path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://${address}${path}`);
  return { status: answer.status, text: await answer.text() };
}

async function untilIdle(): Promise<void> {
  const running = async (): Promise<number> =>
    (
      await connection.workflowService.countWorkflowExecutions({
        namespace: 'default',
        query: "ExecutionStatus='Running'",
      })
    ).count.toNumber();
  await expect.poll(running, POLL).toBe(0);
}

const fails = (script: string): Promise<string> => shell.run(`${script} 2>&1 && exit 99 || true`);

/** Every block that is run, by how it begins. */
const steps: Readonly<Record<string, Step>> = {
  'umask 077': {
    after: async () => {
      expect(await shell.run('stat -c %a moraine.keys')).toBe('600\n');
      await shell.run('moraine apply');
      expect(await fails('moraine materialize airport_delay')).toContain('[TASK_QUEUE_UNPOLLED]');
      await startWorker('workflows,light');
      await startHeavy();
      for (const path of ['/healthz', '/readyz']) expect((await page(health[0], path)).status).toBe(200);
      await shell.run('moraine materialize airport_delay && moraine materialize customer_stats');
    },
  },
  'moraine codec-server': {},
  'export PROJECT=': {
    after: async (output) => {
      expect(output).toContain('"snapshotId":"');
      const command = 'temporal workflow show --workflow-id materialize/airport_delay/incremental@$PROJECT';
      expect(await shell.run(command)).not.toContain('snapshotId');
    },
  },
  'moraine backfill airport_delay': {
    before: () => appendRows(folder, 'demo.delays', 'origin,date,minutes', [MARCH]),
  },
  'export ID=': {
    before: async () => {
      await stopWorker('heavy');
      await shell.run('moraine backfill airport_delay --start 2001-01-01 --end 2002-01-01 --step 1d');
    },
    after: async () => {
      await untilIdle();
      expect(await shell.run('moraine run show $ID')).toMatch(/^status +cancelled/m);
      await startHeavy();
    },
  },
  'moraine backfill retry': {
    before: async () => {
      const known = new Set(dataFiles(folder, 'demo.delays'));
      await appendRows(folder, 'demo.delays', 'origin,date,minutes', [delaysOf('2001-06-01')]);
      const lost = join(folder, dataFiles(folder, 'demo.delays').find((file) => !known.has(file)) ?? '');
      renameSync(lost, `${lost}.away`);
      const year = 'moraine backfill airport_delay --start 2001-01-01 --end 2002-01-01 --step 1d --wait';
      expect(await fails(year)).toContain('[RUN_FAILED]');
      expect(await shell.run('moraine run show $ID')).toMatch(/^failed .*2001-06-01T00:00:00.000Z.*FILE_NOT_FOUND/m);
      renameSync(`${lost}.away`, lost);
    },
    after: async () => {
      await untilIdle();
      expect(await shell.run('moraine run show $ID')).toMatch(/^status +completed[^]*^rowsWritten +3\b/m);
      const read = 'moraine online get airport_delay --entity origin=SFO --at 2001-06-02';
      expect(await shell.run(read)).toMatch(/minutes +2 +PRESENT +2001-06-01T12:00:00.000Z/);
    },
  },
  'moraine backfill --training-set': {
    after: async () => {
      await untilIdle();
      expect(await shell.run('moraine features replay march')).toContain('march');
    },
  },
  'moraine compact': { after: untilIdle },
  'moraine maintain': {
    before: () => {
      standIns.set('warehouse/shop/orders/data/0.parquet', dataFiles(folder, 'shop.orders')[0] ?? '');
      return Promise.resolve();
    },
    after: (output) => {
      const told = output.split('\n').filter((line) => line.startsWith('{'));
      const files = told.map((line) => JSON.parse(line) as { path: string; action: string; reason: string });
      const paths = dataFiles(folder, 'shop.orders').map((file) => join(folder, file));
      expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining(paths));
      expect(files.filter(({ action, reason }) => action !== 'keep' || reason === '')).toEqual([]);
    },
  },
  'moraine schedule create': {
    after: async () => {
      expect(await shell.run('moraine schedule list')).toMatch(/^\S+ +maintainTables +every 1d /m);
    },
  },
  'moraine table register': {
    before: async () => {
      const metrics = (await Promise.all(health.map((address) => page(address, '/metrics')))).map(({ text }) => text);
      const promised = [...PAGE.matchAll(/`(moraine_\w+)`/g)].map(([, name]) => name ?? '');
      expect(promised.length).toBeGreaterThan(4);
      expect(promised.filter((name) => !metrics.join('').includes(name))).toEqual([]);
      for (const roles of ['workflows,light', 'heavy']) await stopWorker(roles);
      await shell.run('moraine table scan shop.orders > before.jsonl');
      for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, `catalog.db${suffix}`), { force: true });
      expect(await fails('moraine table scan shop.orders')).toContain('[TABLE_NOT_FOUND]');
    },
    after: async () => {
      await shell.run('moraine table scan shop.orders | cmp - before.jsonl');
      expect(await shell.run('moraine features datasets')).toMatch(/^march +\S+ +9 /m);
      const read = 'moraine online get airport_delay --entity origin=SFO --at 2001-06-02';
      expect(await shell.run(read)).toMatch(/minutes +2 +PRESENT/);
    },
  },
  'moraine table delete': {
    after: async () => {
      expect(await shell.run('moraine table scan shop.orders | grep -c customer')).toBe('24\n');
    },
  },
};

test('every block of the runbook runs, and shows what the page shows', async () => {
  const blocks = codeBlocks(PAGE);
  const unused = new Set([...Object.keys(steps), ...LEFT_OUT.keys()]);
  for (const [index, block] of blocks.entries()) {
    if (block.flags.has('output')) continue;
    const where = `docs/operations.md:${block.line}`;
    const left = [...LEFT_OUT.keys()].find((text) => block.title === text || block.content.includes(text));
    const begins = Object.keys(steps).find((text) => block.language === 'sh' && block.content.startsWith(text));
    const known = left ?? begins;
    if (known !== undefined) expect(unused.delete(known), `${where} is there once`).toBe(true);
    if (left !== undefined) continue;
    if (block.language === 'yaml') appendFileSync(join(folder, 'moraine.yaml'), here(block.content));
    else {
      expect(begins, `${where} is run or left out`).toBeDefined();
      await runBlock(block, blocks[index + 1], steps[begins ?? ''] ?? {}, where);
    }
  }
  expect([...unused]).toEqual([]);
  expect((await shell.interruptAll()).length).toBe(1);
});

async function runBlock(block: CodeBlock, next: CodeBlock | undefined, step: Step, where: string): Promise<void> {
  await step.before?.();
  const script = here(block.content);
  const shown = next?.flags.has('output') === true ? here(next.content) : undefined;
  if (block.flags.has('background')) {
    await shell.runInBackground(`exec 2>&1\n${script}`, shownPattern(shown ?? ''));
    return;
  }
  const output = await shell.run(script);
  if (shown !== undefined && !shownPattern(shown).test(output)) expect(output, where).toBe(shown);
  await step.after?.(output);
}
