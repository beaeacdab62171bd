/** Two projects with equal names of views and tables on one Temporal server: to each its own runs, or a refusal. See the integration test. */
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { otherProjects, workerIdentity } from '../../activities/index.js';
import { byHand, newQueue, newView, reasonOf, type Side, side, work } from '../support/side-project.js';
import { testClient, testSettings } from '../support/temporal.js';

/** Polls activities of a queue under a worker's name, and does none of them; the answer ends it. */
async function pollAs(identity: string, taskQueue: string): Promise<() => Promise<void>> {
  const settings = { ...testSettings(), taskQueue };
  const connection = await NativeConnection.connect(settings.connection);
  const activities = { nothing: () => Promise.resolve() };
  const worker = await Worker.create({ connection, taskQueue, identity, activities, shutdownGraceTime: 0 });
  const running = worker.run();
  const { client } = await testClient(settings);
  const queue = { taskQueue, kind: 'activities' } as const;
  await expect.poll(() => otherProjects(client, queue, ''), { timeout: 10_000 }).toHaveLength(2);
  return async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
}

test('on two task queues of one namespace each has its own runs, however they were started', async () => {
  const view = newView();
  const [one, two] = [await side(view, newQueue(), 7), await side(view, newQueue(), 11)];
  // The runs of the first stand at their first heavy activity while those of the second are asked for.
  await work(one, ['workflows', 'light']);
  await work(two);
  const compact = { table: 'demo.readings', strategy: 'binpack' };
  const asked = async (of: Side) => [await byHand(of, 'materialize', { view }), await byHand(of, 'compact', compact)];
  const waiting = await asked(one);
  const answers = await Promise.all((await asked(two)).map((handle) => handle.result() as Promise<object>));
  expect(answers[0]).toMatchObject({ view, kind: 'incremental', rows: '11' });
  expect(answers[1]).toMatchObject({ groups: 1, filesRemoved: 5, rows: '55' });
  expect(await two.library.materialize({ view })).toMatchObject({ kind: 'nothing' });
  const before = await one.small.project.loadTable(`moraine_online.${view}`).catch(() => null);
  expect(before?.metadata.currentSnapshotId ?? null).toBeNull();

  await work(one, ['heavy']);
  const later = await Promise.all(waiting.map((handle) => handle.result() as Promise<object>));
  expect(later[1]).toMatchObject({ groups: 1, filesRemoved: 5, rows: '35' });
  for (const { small } of [one, two]) {
    const newest = new Map((await small.onlineRows()).map((row) => [row[0], row]));
    expect([...newest.values()]).toEqual(await small.recomputed());
  }
  const ids = (some: readonly object[]) => some.map((answer) => (answer as { workflowId: string }).workflowId);
  expect(ids(later).filter((id) => ids(answers).includes(id))).toEqual([]);
});

test('on one task queue the second worker, and what its project asks for, are refused, and say why', async () => {
  const view = newView();
  const taskQueue = newQueue();
  const [one, two] = [await side(view, taskQueue, 7), await side(view, taskQueue, 11)];
  const projects = await Promise.all([one, two].map(({ library }) => library.project.identity()));
  await work(one);

  const why = new RegExp(
    `project ${projects[0]} .*"${taskQueue}.*this project is ${projects[1]}.*temporal\\.taskQueue`,
  );
  await expect(work(two)).rejects.toMatchObject({
    code: 'PROJECT_MISMATCH',
    message: expect.stringMatching(why) as string,
  });
  await expect(two.library.materialize({ view })).rejects.toMatchObject({ code: 'PROJECT_MISMATCH' });
  // The first project's worker does not do the second project's work that is already on the queue.
  const foreign = await byHand(two, 'materialize', { view }, `schedule/${view}@${projects[1]}-2026-01-01T00:00:00Z`);
  expect(await reasonOf(foreign.result())).toMatch(
    new RegExp(`^PROJECT_MISMATCH: .*of the project ${projects[1]}, and this worker of ${projects[0]}`),
  );
  expect(await one.library.project.loadTable(`moraine_online.${view}`).catch(() => null)).toBeNull();

  expect(await one.library.materialize({ view })).toMatchObject({ kind: 'incremental', rows: '7' });
  // Two workers that have started at the same moment: nothing says whose an entry is that a person starts.
  const poller = await pollAs(workerIdentity(projects[1] ?? ''), taskQueue);
  const unnamed = await byHand(one, 'compact', { table: 'demo.readings', strategy: 'binpack' });
  expect(await reasonOf(unnamed.result())).toMatch(
    new RegExp(`^PROJECT_MISMATCH: .*does not say of which project it is.*${projects[1]}`),
  );
  await poller();
});
