/** Inputs that people may send and no command does: some are too large, signals have nothing or anything in them. Nothing may hang over it. */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, type Client, WorkflowFailedError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import {
  createActivities,
  type ServerSettings,
  startBackfill,
  startCompact,
  startTrainingSet,
} from '../../workers/index.js';
import { datedProject } from '../support/dated-files.js';
import { rejectionCode } from '../support/error-code.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { BACKFILL, COMPACT, MAINTAIN, MATERIALIZE, startRun, type Work } from '../support/works.js';

/** A server takes payloads of up to 2 MiB: this one, too, but not once more with anything beside it. */
const ALMOST_TOO_LARGE = 2 * 2 ** 20 - 100;

/** Of which a message of gRPC has no room. */
const FAR_TOO_LARGE = 5_000_000;

async function serverOf(small: SmallProject): Promise<{ readonly client: Client; readonly settings: ServerSettings }> {
  const settings = testSettings();
  await testWorker(settings, createActivities(datedProject(small.project)));
  const { client } = await testClient(settings);
  return { client, settings };
}

/** The tables of a work, and its worker. */
async function prepared(work: Work) {
  const small = await SmallProject.create(work.options);
  await work.prepare(small);
  return { small, ...(await serverOf(small)) };
}

/** Code and message of what a workflow ends with. */
async function refusal(workflow: Promise<unknown>): Promise<string | undefined> {
  const error = await workflow.catch((failed: unknown) => failed);
  if (!(error instanceof WorkflowFailedError)) throw new Error('it did not fail', { cause: error });
  const cause = error.cause instanceof ApplicationFailure ? error.cause : error.cause?.cause;
  return cause instanceof ApplicationFailure ? `${cause.type}: ${cause.message}` : undefined;
}

test('a workflow that does not exist is answered with the nearest names', async () => {
  const small = await SmallProject.create();
  const { client, settings } = await serverOf(small);
  const answer = (type: string) =>
    refusal(client.workflow.execute(type, { workflowId: `odd-${randomUUID()}`, taskQueue: settings.taskQueue }));
  expect(await answer('materialise')).toBe(
    'INVALID_ARGUMENT: There is no workflow "materialise". Did you mean \'materialize\'?',
  );
  expect(await answer('x')).toBe(
    'INVALID_ARGUMENT: There is no workflow "x". ' +
      "There are 'materialize', 'backfill', 'trainingSet', 'compact', 'maintain', 'maintainTables', 'ingest'.",
  );
});

describe('an input that is too large (faults 52)', () => {
  test.each(['materialize', 'backfill', 'compact', 'maintain', 'maintainTables', 'trainingSet', 'ingest'])(
    'of %s: it fails at once, with the size, and starts nothing',
    async (workflow) => {
      const small = await SmallProject.create();
      const { client, settings } = await serverOf(small);
      const workflowId = `${workflow}-${small.view}`;
      const input = { table: small.table, view: small.view, where: 'x'.repeat(ALMOST_TOO_LARGE - 200) };
      const options = { workflowId, taskQueue: settings.taskQueue, args: [input] as [unknown] };
      const ended = client.workflow.execute<(input: unknown) => Promise<unknown>>(workflow, options);
      const { length } = JSON.stringify(input);
      expect(await refusal(ended)).toBe(
        `LIMIT_EXCEEDED: The input of ${workflow} has ${length} characters, and may have 65536. Put long lists into a table and name that, or ask in parts.`,
      );
      const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
      expect((events ?? []).filter((event) => event.activityTaskScheduledEventAttributes != null)).toEqual([]);
    },
  );

  test('is refused before a server is asked', async () => {
    const small = await SmallProject.create();
    const settings = testSettings();
    const temporal = await testClient(settings);
    const text = 'x'.repeat(FAR_TOO_LARGE);
    const { table } = small;
    const training = { name: 'set', to: 'demo.set', features: [text], entities: { table } };
    const range = { startUs: '0', endUs: '1000000', stepUs: '1000000', newestFirst: false, concurrency: 1 };
    const codes = await Promise.all(
      [
        startCompact(temporal, settings, { table, strategy: 'binpack', where: text }),
        startTrainingSet(temporal, settings, training),
        startBackfill(temporal, settings, { trainingSet: training, ...range }),
      ].map(rejectionCode),
    );
    // With a worker missing, what is sent would be TASK_QUEUE_UNPOLLED.
    expect(codes).toEqual(['LIMIT_EXCEEDED', 'LIMIT_EXCEEDED', 'LIMIT_EXCEEDED']);
  });

  test('the largest one is handed on', async () => {
    const small = await SmallProject.create();
    const { client, settings } = await serverOf(small);
    const where = `reading = 0 OR reading IN (${'1,'.repeat(32_000)}1)`;
    const input = { table: small.table, strategy: 'binpack', where };
    const options = { workflowId: `large-${small.view}`, taskQueue: settings.taskQueue, args: [input] as [unknown] };
    const result = await client.workflow.execute<(input: unknown) => Promise<object>>('compact', options);
    expect(result).toMatchObject({ groups: 0 });
  });
});

const ASKED = [MATERIALIZE, BACKFILL, COMPACT, MAINTAIN].map((work) => [work.run.type, work] as const);
const OF_TABLES = ASKED.filter(([, work]) => work === COMPACT || work === MAINTAIN);

const ODD: readonly (readonly unknown[])[] = [[], [null], ['now'], [7], [{ request: null }], [{ replyTo: 7 }], [[]]];

describe('what people send or start by hand', () => {
  test.each(ASKED)(
    '%s: `requested` with nothing or anything in it does not keep it from its work',
    async (_run, work) => {
      const { small, client, settings } = await prepared(work);
      const handle = await startRun(client, settings, work, small);
      for (const odd of ODD) await startRun(client, settings, work, small, odd);
      await handle.result();
      await work.expectDone(small);
    },
  );

  test.each(OF_TABLES)(
    '%s: a `requested` that is wrong, or of another table, is answered and does nothing',
    async (_run, work) => {
      const { small, client, settings } = await prepared(work);
      const outcome = async (...signalArgs: unknown[]) =>
        refusal((await startRun(client, settings, work, small, signalArgs)).result());
      expect(await outcome()).toMatch(/^INVALID_ARGUMENT: nothing was asked for/);
      const good = work.input(small);
      expect(await outcome({ request: { ...good, table: 'demo.other' } })).toMatch(/^INVALID_ARGUMENT: nothing/);
      expect(await outcome({ request: { ...good, strategy: 'magic', olderThan: 'ever' } })).toMatch(
        /^INVALID_ARGUMENT: .*"(strategy|olderThan)"/,
      );
      await work.expectSound(small);
    },
  );

  test.each(ASKED.map(([run, work]) => [run, work.workflow] as const))(
    '%s started by hand without what it needs: it ends, and names %s, which starts it',
    async (run, entry) => {
      const small = await SmallProject.create();
      const { client, settings } = await serverOf(small);
      const outcome = (args: unknown[]) =>
        refusal(client.workflow.execute(run, { workflowId: randomUUID(), taskQueue: settings.taskQueue, args }));
      for (const odd of ODD) expect(await outcome([...odd])).toMatch(`INVALID_ARGUMENT: ${run} has no `);
      expect(await outcome([{}])).toContain(`start \`${entry}\``);
    },
  );

  test('`runEnded` that says nothing does not end the waiting', async () => {
    const small = await SmallProject.create();
    await MATERIALIZE.prepare(small);
    const settings = testSettings();
    const { client } = await testClient(settings);
    const workflowId = `waiting-${small.view}`;
    const activities = createActivities(small.project);
    const commitMaterialization: typeof activities.commitMaterialization = async (input) => {
      const waiting = client.workflow.getHandle(workflowId);
      for (const odd of ODD) await waiting.signal('runEnded', ...odd);
      return activities.commitMaterialization(input);
    };
    await testWorker(settings, { ...activities, commitMaterialization });
    const options = { workflowId, taskQueue: settings.taskQueue, args: [{ view: small.view }] as [object] };
    const result = await client.workflow.execute<(input: object) => Promise<object>>('materialize', options);
    expect(result).toMatchObject({ kind: 'incremental', rows: '100' });
  });
});
