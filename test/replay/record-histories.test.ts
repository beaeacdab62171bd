/**
 * Records the histories that `replay.test.ts` replays, by running the workflows through each of their ways on a real
 * server. Once per release, `RECORD_HISTORIES=0.1.0 npx vitest run test/replay/record-histories.test.ts` keeps them
 * under `histories/0.1.0`, where they stay for good. In every other run they go to a temporary folder and are replayed,
 * so that this program itself is tested.
 */

import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { AllActivities } from '../../activities/index.js';
import { outcomeOf } from '../../activities/index.js';
import { exportHistory, replayHistories } from '../../testing/index.js';
import { failureOf as errorOf } from '../support/error-code.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, testWorker, WORKFLOWS } from '../support/temporal.js';
import type { Way } from '../support/way.js';
import { workflowWays } from '../support/workflow-ways.js';

/** A way, and a name of its own for what it works on, which is a part of the id of each of its workflows. */
interface Recording {
  readonly way: Way;
  readonly subject: string;
}

function recordings(): readonly Recording[] {
  return workflowWays().map((way) => {
    const name = `${way.workflow}-${way.name}`.replaceAll('-', '_');
    return { way, subject: `${name}_${randomUUID().slice(0, 8)}` };
  });
}

/** Activities that each answer by the script of the way whose workflow asks. */
function activitiesOf(ways: readonly Recording[]): AllActivities {
  const scriptOf = (workflowId: string): AllActivities => {
    const found = ways.find(({ subject }) => workflowId.includes(subject));
    if (found === undefined) throw new Error(`no way has a workflow ${workflowId}`);
    return found.way.activities;
  };
  const names = Object.keys(ways[0]?.way.activities ?? {}) as (keyof AllActivities)[];
  const answer = (name: keyof AllActivities) => (input: never) => {
    const { workflowId } = Context.current().info.workflowExecution ?? { workflowId: '' };
    return (scriptOf(workflowId)[name] as (input: never) => unknown)(input);
  };
  return Object.fromEntries(names.map((name) => [name, answer(name)])) as unknown as AllActivities;
}

/** Takes the way, and keeps the histories of its workflow and of the run that it asked for. @returns how the workflow ended */
async function record(client: Client, taskQueue: string, { way, subject }: Recording, folder: string): Promise<string> {
  const workflowId = `recording-${subject}`;
  await client.workflow.start(way.workflow, { workflowId, taskQueue, args: [way.input(subject)] });
  const file = (part: string): string => join(folder, `${kebab(way.workflow)}${part}-${way.name}.json`);
  const outcome = await keepHistory(client, workflowId, file(''));
  if (way.runId !== undefined) await keepHistory(client, way.runId(subject), file('-run'));
  return outcome;
}

async function keepHistory(client: Client, workflowId: string, file: string): Promise<string> {
  const outcome = await outcomeOf(client.workflow.getHandle(workflowId).result());
  writeFileSync(file, await portableHistory(client, workflowId));
  return outcome.status === 'completed' ? outcome.status : outcome.code;
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** A history without what only says on which machine it was recorded: process identities and stack traces. */
async function portableHistory(client: Client, workflowId: string): Promise<string> {
  const history: unknown = JSON.parse(await exportHistory(client, workflowId));
  const drop = (key: string, value: unknown): unknown => (['identity', 'stackTrace'].includes(key) ? undefined : value);
  return `${JSON.stringify(history, drop, 2)}\n`;
}

test('recorded histories replay on the code that made them', async () => {
  const release = process.env['RECORD_HISTORIES'];
  const folder = release === undefined ? temporaryFolder() : join(projectRoot, 'test/replay/histories', release);
  mkdirSync(folder, { recursive: true });
  const ways = recordings();
  const settings = testSettings();
  await testWorker(settings, activitiesOf(ways));
  const { client } = await testClient(settings);
  const outcomes = await Promise.all(ways.map((way) => record(client, settings.taskQueue, way, folder)));
  expect(outcomes).toEqual(ways.map(({ way }) => way.outcome));
  const replayed = await replayHistories(folder, { workflows: WORKFLOWS });
  const expected = ways.length + ways.filter(({ way }) => way.runId !== undefined).length;
  expect(replayed).toHaveLength(expected);
  expect(readdirSync(folder)).toHaveLength(expected);
});

test('a workflow that is not on the server is named', async () => {
  const { client } = await testClient(testSettings());
  const error = await errorOf(exportHistory(client, 'no-such-workflow'));
  expect(error.code).toBe('WORKFLOW_NOT_FOUND');
  expect(error.message).toContain('no-such-workflow');
});
