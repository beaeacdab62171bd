/** Two projects with equal names share nothing on one Temporal server, whatever the work and whoever starts it. */
import { expect, onTestFinished, test } from 'vitest';
import { deleteSchedule } from '../../schedules/index.js';
import { connectClient } from '../../workers/index.js';
import { moraine } from '../support/cli.js';
import { byHand, newQueue, newView, type Side, side, work } from '../support/side-project.js';
import { testClient, testSettings } from '../support/temporal.js';

test('backfills, training sets, compactions and maintenance of equal names each do the work of their own project', async () => {
  const view = newView();
  const [one, two] = [await side(view, newQueue(), 7), await side(view, newQueue(), 11)];
  // The runs of the first stand at their first heavy activity while those of the second are asked for.
  await work(one, ['workflows', 'light']);
  await work(two);
  const { client } = await testClient(testSettings());
  const range = { view, start: '1970-01-01T00:00Z', end: '1970-01-01T00:10Z', step: '5m' };
  const trainingSet = async ({ library }: Side) => {
    const { workflowId } = await library.startTrainingSet({
      features: [view],
      entities: { table: 'demo.readings' },
      saveAs: { name: `set_${view}`, to: { table: `demo.set_${view}` } },
      ...{ fullFeatureNames: true, shards: 1 },
    });
    return client.workflow.getHandle(workflowId);
  };
  const asked = async (of: Side) => [
    await byHand(of, 'backfill', range),
    await byHand(of, 'maintain', { table: 'demo.readings' }),
    await trainingSet(of),
  ];
  const waiting = await asked(one);
  const answers = await Promise.all((await asked(two)).map((handle) => handle.result() as Promise<object>));
  expect(answers[0]).toMatchObject({ windows: 2, rows: '22' });
  expect(answers[2]).toMatchObject({ rows: '55' });
  await work(one, ['heavy']);
  const later = await Promise.all(waiting.map((handle) => handle.result() as Promise<object>));
  expect(later[0]).toMatchObject({ windows: 2, rows: '14' });
  expect(later[2]).toMatchObject({ rows: '35' });
  const ids = (some: readonly object[]) => some.map((answer) => (answer as { workflowId: string }).workflowId);
  expect(ids(later).filter((id) => ids(answers).includes(id))).toEqual([]);
  for (const { small } of [one, two]) {
    const newest = new Map((await small.onlineRows()).map((row) => [row[0], row]));
    expect([...newest.values()]).toEqual(await small.recomputed());
  }
});

test('equal declarations of two registries make a schedule each; what one takes back leaves the other alone', async () => {
  const view = newView();
  const [one, two] = [await side(view, newQueue(), 7), await side(view, newQueue(), 11)];
  const declared = (schedule: object) => ({
    entities: [{ name: 'sensor', joinKeys: ['sensor'] }],
    featureViews: [
      {
        ...{ name: view, entities: ['sensor'], online: true },
        source: { table: 'demo.readings', timestampField: 'event_ts' },
        ...schedule,
      },
    ],
  });
  const connected = await connectClient(testSettings());
  onTestFinished(() => connected.close());
  const { client } = connected;
  const ids = await Promise.all(
    [one, two].map(async ({ library }) => `materialize/${view}@${await library.project.identity()}`),
  );
  for (const id of ids) onTestFinished(() => deleteSchedule(client, id).catch(() => undefined));
  const there = () =>
    Promise.all(
      ids.map((id) =>
        client.schedule
          .getHandle(id)
          .describe()
          .then(({ action, spec }) => [action.taskQueue, action.workflowId, spec.intervals?.[0]?.every])
          .catch(() => null),
      ),
    );
  await one.library.apply(declared({ schedule: { every: '1h', paused: true } }));
  await two.library.apply(declared({ schedule: { every: '2h', paused: true } }));
  const both = [
    [one.taskQueue, `schedule/${ids[0]}`, 3_600_000],
    [two.taskQueue, `schedule/${ids[1]}`, 7_200_000],
  ];
  expect(await there()).toEqual(both);
  await two.library.apply(declared({}));
  expect(await there()).toEqual([both[0], null]);
});

test('a schedule that an earlier version has made keeps its id and state, and its runs get the project', async () => {
  const view = newView();
  const one = await side(view, newQueue(), 7);
  const connected = await connectClient(testSettings());
  onTestFinished(() => connected.close());
  const { client } = connected;
  const registry = (await one.library.project.loadTable('moraine.registry')).metadata.tableUuid;
  const id = `materialize/${view}`;
  const hour = { every: 3_600_000, offset: 0 };
  // As version 0.1 writes it.
  await client.schedule.create({
    ...{ scheduleId: id, spec: { intervals: [hour], jitter: 60_000 }, memo: { declaredBy: { registry, view } } },
    policies: { overlap: 'SKIP', catchupWindow: 3_600_000 },
    state: { paused: true, note: 'by a person' },
    action: {
      ...{ type: 'startWorkflow', workflowType: 'materialize', workflowId: `schedule/${id}` },
      ...{ taskQueue: one.taskQueue, args: [{ view }], memo: { schedule: id, declared: { every: '1h' } } },
    },
  });
  onTestFinished(() => deleteSchedule(client, id).catch(() => undefined));
  const run = async (...args: string[]) => (await moraine(args, { cwd: one.small.folder })).stdout;
  expect(await run('schedule', 'list')).toContain(`${id} `);
  const definitions = {
    entities: [{ name: 'sensor', joinKeys: ['sensor'] }],
    featureViews: [
      {
        ...{ name: view, entities: ['sensor'], online: true, schedule: { every: '1h' } },
        source: { table: 'demo.readings', timestampField: 'event_ts' },
      },
    ],
  };
  await one.library.apply(definitions);
  const { action, state } = await client.schedule.getHandle(id).describe();
  const project = await one.library.project.identity();
  expect(action.workflowId).toBe(`schedule/${id}@${project}`);
  expect(state).toMatchObject({ paused: true, note: 'by a person' });
  expect(await run('schedule', 'delete', id)).toBe(`Deleted schedule ${id}.\n`);
});

test('schedules of equal names are made, listed, changed and deleted by their own project alone', async () => {
  const view = newView();
  const [one, two] = [await side(view, newQueue(), 7), await side(view, newQueue(), 11)];
  const run = async ({ small }: Side, ...args: string[]) => moraine(args, { cwd: small.folder });
  const list = async (of: Side) => {
    const { stdout } = await run(of, 'schedule', 'list', '--json');
    return stdout
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { id: string }).id);
  };
  const [first, second] = await Promise.all([one, two].map(({ library }) => library.project.identity()));
  const name = `materialize/${view}`;
  const mine = [`${name}@${first}`];
  const theirs = [`${name}@${second}`];
  const made = [await run(one, 'schedule', 'create', view, '--every', '1h', '--paused')];
  made.push(await run(two, 'schedule', 'create', view, '--every', '2h', '--paused'));
  expect(made.map(({ code, stdout }) => [code, stdout])).toEqual([
    [0, `Made schedule ${mine[0]}: materialize every 1h.\n`],
    [0, `Made schedule ${theirs[0]}: materialize every 2h.\n`],
  ]);
  onTestFinished(async () => {
    const { client } = await connectClient({ ...testSettings() });
    await deleteSchedule(client, mine[0] ?? '').catch(() => undefined);
  });
  expect([await list(one), await list(two)]).toEqual([mine, theirs]);
  expect((await run(one, 'schedule', 'create', view, '--every', '1h')).stderr).toContain('SCHEDULE_ALREADY_EXISTS');
  const refused = await run(two, 'schedule', 'delete', mine[0] ?? '');
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('PROJECT_MISMATCH')]);
  expect((await run(two, 'schedule', 'delete', name)).stdout).toBe(`Deleted schedule ${name}.\n`);
  await expect.poll(() => list(two), { timeout: 10_000 }).toEqual([]);
  expect(await list(one)).toEqual(mine);
});
