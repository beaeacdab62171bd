/** The first steps of a newcomer after `moraine init`, in order, with no edit. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { jsonLines, moraine, moraineOk, startMoraine } from '../support/cli.js';

interface Order {
  readonly customer_id: number;
  readonly event_ts: string;
  readonly orders: number;
  readonly mean_basket: number | null;
  readonly returned: boolean;
}

let base: string;
let project: string;
let orders: readonly Order[];

beforeAll(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-project-')));
  project = join(base, 'shop');
  await moraineOk(['init', 'shop'], { cwd: base });
  const [, ...lines] = readFileSync(join(project, 'data/customer_orders.csv'), 'utf8').trimEnd().split('\n');
  orders = lines.map((line) => {
    const [customer, at, , count, basket, returned] = line.split(',');
    return {
      customer_id: Number(customer),
      event_ts: at ?? '',
      orders: Number(count),
      mean_basket: basket === '' ? null : Number(basket),
      returned: returned === 'true',
    };
  });
});
afterAll(() => rmSync(base, { recursive: true }));

const run = (...args: string[]) => moraine(args, { cwd: project });
const ok = (...args: string[]) => moraineOk(args, { cwd: project });

const WEEK_MS = 7 * 86_400_000;

/** The newest order row of a customer at a time, no older than the view's ttl: by looking at every row. */
function newest(customer: number, at: string): Order | undefined {
  const atMs = Date.parse(at);
  return orders
    .filter((order) => order.customer_id === customer)
    .filter(({ event_ts }) => Date.parse(event_ts) <= atMs && Date.parse(event_ts) >= atMs - WEEK_MS)
    .at(-1);
}

describe.sequential('a new project', () => {
  it('appends the example data', async () => {
    const printed = await ok(
      'table',
      'append',
      'shop.customer_orders',
      'data/customer_orders.csv',
      '--create',
      '--partition',
      'month(event_ts)',
    );
    expect(printed).toMatch(/^Created shop\.customer_orders and appended 160 rows in 1 file, snapshot \d+\.\n$/);
    const shown = JSON.parse(await ok('table', 'show', 'shop.customer_orders', '--json')) as {
      schema: { fields: { name: string; type: string }[] };
      partitionSpec: string[];
    };
    expect(shown.partitionSpec).toEqual(['month(event_ts)']);
    expect(shown.schema.fields.map(({ name, type }) => [name, type])).toEqual([
      ['customer_id', 'long'],
      ['event_ts', 'timestamptz'],
      ['created', 'timestamptz'],
      ['orders', 'long'],
      ['mean_basket', 'double'],
      ['returned', 'boolean'],
    ]);
  });

  it('applies its definitions, after showing what that does', async () => {
    const plan = '+ entity customer\n+ feature view customer_activity\n+ feature service churn_model\n';
    const online = '+ online table moraine_online.customer_activity, by the first run or write\n';
    const tried = await ok('apply', '--dry-run');
    expect(tried.startsWith(`${plan}${online}`)).toBe(true);
    expect(tried).toMatch(/\n {4}\+ orders: long\n(.*\n)*Nothing was changed \(--dry-run\)\.\n$/);
    expect(await ok('apply')).toBe(`${plan}Applied.\n`);
    expect(await ok('apply')).toBe('Nothing to change: all 3 definitions are registered as they are.\n');
  });

  it('reads nothing online before the first run, and says how to get there', async () => {
    const result = await run('online', 'get', 'customer_activity', '--entity', 'customer_id=3');
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toContain('moraine materialize customer_activity');
  });

  it('materializes on a server of its own and leaves no process behind', async () => {
    const result = JSON.parse(await ok('materialize', 'customer_activity', '--json')) as Record<string, unknown>;
    expect(result).toMatchObject({ view: 'customer_activity', rows: '8' });
    const again = await ok('materialize', 'customer_activity');
    expect(again).toMatch(
      /^customer_activity: nothing to do \(nothing new in shop\.customer_orders since snapshot \d+\)\.\n$/,
    );
    expect(processesOf(project)).toBe('');
  });

  it('reads online what is newest at a time', async () => {
    const at = '2026-01-31T00:00:00Z';
    const answer = JSON.parse(
      await ok(
        'online',
        'get',
        'customer_activity',
        '--entity',
        'customer_id=3',
        '--entity',
        'customer_id=99',
        '--at',
        at,
        '--json',
      ),
    ) as { results: { entity: unknown; features: Record<string, { value: unknown; status: string }> }[] };
    const expected = newest(3, at);
    expect(answer.results.map(({ entity }) => entity)).toEqual([{ customer_id: '3' }, { customer_id: '99' }]);
    expect(answer.results[0]?.features.orders).toMatchObject({ value: expected?.orders, status: 'PRESENT' });
    expect(answer.results[0]?.features.mean_basket).toMatchObject({ value: expected?.mean_basket, status: 'PRESENT' });
    expect(answer.results[0]?.features.returned).toMatchObject({ value: expected?.returned, status: 'PRESENT' });
    expect(answer.results[1]?.features.orders).toEqual({ value: null, status: 'NOT_FOUND', eventTimestamp: null });
    const late = await ok('online', 'get', 'customer_activity', '--entity', 'customer_id=3', '--at', '2027-01-01');
    expect(late).toMatch(/^customer_id=3 +orders +- +OUTSIDE_MAX_AGE /m);
  });

  it('is the one that --config names where a command runs in another folder', async () => {
    const cwd = join(base, 'elsewhere');
    mkdirSync(cwd);
    const get = ['online', 'get', 'customer_activity', '--entity', 'customer_id=3', '--at', '2026-01-31'];
    const here = await ok(...get);
    for (const config of [join(project, 'moraine.yaml'), '../shop/moraine.yaml']) {
      const there = (...args: string[]) => moraineOk([...args, '--config', config], { cwd });
      // Its catalog, its tables and the files of its definitions.
      expect(await there('apply')).toBe('Nothing to change: all 3 definitions are registered as they are.\n');
      expect(await there(...get)).toBe(here);
    }
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('makes a training set with one row per entity row, in order', async () => {
    const printed = await ok(
      'features',
      'historical',
      '--features',
      'customer_activity:orders,customer_activity:mean_basket',
      '--entities',
      'data/entities.csv',
    );
    const [, ...lines] = readFileSync(join(project, 'data/entities.csv'), 'utf8').trimEnd().split('\n');
    const expected = lines.map((line) => {
      const [customer = '', at = '', churned = ''] = line.split(',');
      const row = newest(Number(customer), at);
      return {
        customer_id: Number(customer),
        event_timestamp: at.replace('Z', '.000000Z'),
        churned: churned === 'true',
        orders: row?.orders ?? null,
        mean_basket: row?.mean_basket ?? null,
      };
    });
    expect(jsonLines(printed)).toEqual(expected);
    const byService = await ok(
      'features',
      'historical',
      '--features',
      'churn_model',
      '--entities',
      'data/entities.csv',
      '--full-names',
      '--format',
      'csv',
    );
    expect(byService.split('\n')[0]).toBe(
      'customer_id,event_timestamp,churned,customer_activity__orders,customer_activity__mean_basket,customer_activity__returned',
    );
  });

  it('takes definitions in TypeScript as well', async () => {
    writeFileSync(
      join(project, 'more.ts'),
      `import { defineEntity, defineFeatureView } from 'moraine';
const customer = defineEntity({ name: 'customer', joinKeys: ['customer_id'], description: 'A customer of the shop.' });
export const returns = defineFeatureView({
  name: 'returns' as const,
  entities: [customer],
  source: { table: 'shop.customer_orders', timestampField: 'event_ts' },
  features: ['returned'],
});
export default customer;
`,
    );
    expect(await ok('apply', 'more.ts')).toBe('+ feature view returns\n  1 unchanged\nApplied.\n');
    expect(await ok('apply', '--prune', '--dry-run')).toContain('- feature view returns\n');
  });

  it('drops an online table when that is confirmed, and makes it again', async () => {
    const table = 'moraine_online.customer_activity';
    const would = `- online table ${table}, with its files\n`;
    expect(await ok('online', 'teardown', '--dry-run')).toBe(`${would}Nothing was dropped.\n`);
    const refused = await run('online', 'teardown');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain(
      `error: This would drop 1 online table with their files: ${table}. Repeat it with --yes to drop them.`,
    );
    const get = ['online', 'get', 'customer_activity', '--entity', 'customer_id=3', '--at', '2026-01-31'];
    const before = await ok(...get);
    const dropped = JSON.parse(await ok('online', 'teardown', 'customer_activity', '--yes', '--json')) as unknown;
    expect(dropped).toEqual({ dropped: true, tables: [table] });
    expect(await run(...get)).toMatchObject({ code: 3 });
    expect(await ok('online', 'teardown', '--yes')).toBe('There are no online tables.\n');
    await ok('materialize', 'customer_activity', '--wait');
    expect(await ok(...get)).toBe(before);
  });

  it('finds nothing wrong', async () => {
    const { checks } = JSON.parse(await ok('doctor', '--json')) as { checks: { name: string; status: string }[] };
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(checks.map(({ name }) => name)).toContain('catalog local');
  });
});

describe.sequential('what a mistake says', () => {
  it.each([
    [['apply', 'nope.yaml'], 2, 'error: cannot read nope.yaml: there is no such file [INPUT_UNREADABLE]'],
    [
      ['materialize', 'customer_activty'],
      3,
      "error: There is no feature view 'customer_activty'. Did you mean 'customer_activity'?",
    ],
    [
      ['materialize', 'customer_activity', '--start', '2026-02-01', '--end', '2026-01-01'],
      2,
      'error: the start 2026-02-01 is after the end 2026-01-01 [INVALID_ARGUMENT]',
    ],
    [['materialize', 'customer_activity', '--start', 'soon'], 2, 'error: start "soon": it is not ISO-8601;'],
    [
      ['online', 'get', 'customer_activity', '--entity', 'customer_id'],
      2,
      'error: --entity "customer_id": write key=value; an entity is k=v[,k2=v2] [INVALID_ARGUMENT]',
    ],
    [
      ['online', 'get', 'customer_activity', '--entity', 'customer_id=x'],
      2,
      "error: The value 'x' of the join key 'customer_id' is not of type long.",
    ],
    [
      ['online', 'get', 'customer_activity', '--entity', 'id=1'],
      2,
      "error: An entity has no value for the join key 'customer_id'",
    ],
    [
      ['features', 'historical', '--features', 'customer_activity:order', '--entities', 'data/entities.csv'],
      3,
      'error: ',
    ],
    [
      ['features', 'historical', '--features', ',', '--entities', 'data/entities.csv'],
      2,
      'error: --features ",": a name is missing [INVALID_ARGUMENT]',
    ],
    [
      ['features', 'historical', '--features', 'churn_model', '--entities', 'nope.csv'],
      2,
      'error: cannot read nope.csv: there is no such file [INPUT_UNREADABLE]',
    ],
    [
      ['table', 'append', 'shop.customer_orders', 'nope.csv'],
      2,
      'error: cannot read nope.csv: there is no such file [INPUT_UNREADABLE]',
    ],
    [
      ['table', 'append', 'shop.nope', 'data/entities.csv'],
      3,
      "error: Table local/shop.nope does not exist. There are 'moraine.registry', ",
    ],
    [
      ['table', 'append', 'shop.customer_orders', 'data/entities.csv'],
      3,
      'error: the table has no column "event_timestamp", "churned" of the file;',
    ],
    [
      ['table', 'append', 'shop.customer_orders', 'data/customer_orders.csv', '--partition', 'day(event_ts)'],
      2,
      'error: a partitioning goes with the creation of the table (--create) [INVALID_ARGUMENT]',
    ],
    [
      [
        'table',
        'append',
        'shop.customer_orders',
        'data/customer_orders.csv',
        '--create',
        '--partition',
        'day(event_ts)',
      ],
      2,
      'error: the table exists and is not partitioned by day(event_ts); leave the partitioning out [INVALID_ARGUMENT]',
    ],
    [['table', 'create', 'shop.x', '--schema', 'features.yaml'], 2, 'error: features.yaml: Not valid JSON'],
    [['workflow', 'replay', 'nope'], 7, 'error: there is no file or folder nope [FILE_NOT_FOUND]'],
    [['worker'], 8, 'error: no Temporal server is configured;'],
  ])('%j', async (args, code, message) => {
    const result = await run(...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr.slice(0, message.length)).toBe(message);
    expect(result.stderr).not.toMatch(/\n {4}at /);
  });
});

describe('moraine dev', () => {
  it('serves until Ctrl-C, then ends with everything that it started', async () => {
    const child = startMoraine(['dev', '--json'], { cwd: project });
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stdout.setEncoding('utf8');
    const complaints: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (said: string) => complaints.push(said));
    const ended = once(child, 'close').then(() => Promise.reject(new Error(`dev ended: ${complaints.join('')}`)));
    const [text] = (await Promise.race([once(child.stdout, 'data'), ended])) as [string];
    ended.catch(() => undefined);
    const { ui, taskQueue } = JSON.parse(text) as { ui: string; taskQueue: string };
    expect(taskQueue).toBe('moraine');
    expect(ui).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await fetch(ui)).status).toBe(200);
    const history = await ok('workflow', 'export', 'materialize/customer_activity/incremental');
    writeFileSync(join(project, 'history.json'), history);

    const plan = ['backfill', 'customer_activity', '--start', '2001-01-01', '--end', '2001-01-03', '--step', '1d'];
    const schedules = async (): Promise<unknown> => JSON.parse(await ok(...plan, '--dry-run', '--json'));
    expect(await schedules()).toMatchObject({ schedules: [] });
    await ok('schedule', 'create', 'customer_activity', '--every', '1h', '--paused');
    expect(await schedules()).toMatchObject({
      schedules: [expect.stringMatching(/^materialize\/customer_activity@[0-9a-f]{12}$/)],
    });
    await ok('schedule', 'delete', 'materialize/customer_activity');
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(0);
    expect(processesOf(project)).toBe('');
    expect(await schedules()).toMatchObject({ schedules: null });
    expect(await ok('workflow', 'replay', 'history.json')).toMatch(/^ok {2}history\.json \(\d+ events\)\n$/);
  });
});

/** Processes whose command line names the project. */
function processesOf(folder: string): string {
  return spawnSync('pgrep', ['-f', `start-dev.*${folder}`], { encoding: 'utf8' }).stdout;
}
