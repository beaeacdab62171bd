import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { replayHistories } from '../../testing/index.js';
import { workflowsPath } from '../../workers/index.js';
import { failureOf } from '../support/error-code.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { WORKFLOWS } from '../support/temporal.js';

const HISTORIES = join(projectRoot, 'test/replay/histories');
const releases = readdirSync(HISTORIES);

/** An entry to workflow code that does one thing more than ours did when the histories were recorded. */
function changedWorkflows(): string {
  const entry = join(temporaryFolder(), 'changed.ts');
  const workflows = JSON.stringify(workflowsPath());
  writeFileSync(
    entry,
    `import { materializeRun as recorded } from ${workflows};
import { sleep } from '@temporalio/workflow';
export async function materializeRun(input) {
  await sleep(1);
  return recorded(input);
}
`,
  );
  symlinkSync(join(projectRoot, 'node_modules'), join(entry, '../node_modules'));
  return entry;
}

describe('recorded histories', () => {
  test.each(releases)('those of release %s replay on the code of today', async (release) => {
    const replayed = await replayHistories(join(HISTORIES, release), { workflows: WORKFLOWS });
    expect(replayed.map(({ file }) => file)).toEqual(
      readdirSync(join(HISTORIES, release))
        .sort()
        .map((name) => join(HISTORIES, release, name)),
    );
    expect(Math.min(...replayed.map(({ events }) => events))).toBeGreaterThan(3);
  });

  test('a workflow with an additional timer before its first step is caught, and the history named', async () => {
    const entry = changedWorkflows();
    const history = join(HISTORIES, '0.1.0', 'materialize-run-three-shards.json');
    const error = await failureOf(replayHistories(history, { workflows: { workflowsPath: entry } }));
    expect(error.code).toBe('NONDETERMINISM');
    expect(error.message).toContain('materialize-run-three-shards.json');
  });

  test('one whose workflow is not among the code is refused by name, and the worker that replays it ends', async () => {
    const replay = Worker.runReplayHistories.bind(Worker);
    let isEnded = false;
    vi.spyOn(Worker, 'runReplayHistories').mockImplementation(async function* (...given) {
      try {
        yield* replay(...given);
      } finally {
        isEnded = true;
      }
    });
    onTestFinished(() => void vi.restoreAllMocks());
    const history = join(HISTORIES, '0.1.0', 'training-set-failed.json');
    const error = await failureOf(replayHistories(history, { workflows: { workflowsPath: changedWorkflows() } }));
    expect(error.code).toBe('INPUT_UNREADABLE');
    expect(error.message).toContain('training-set-failed.json cannot be replayed');
    expect(isEnded).toBe(true);
  });

  test.each([
    ['{"events": []}', 'it has no events'],
    ['not JSON', 'is not a workflow history'],
  ])('a file with %s is refused by name', async (text, reason) => {
    const file = join(temporaryFolder(), 'broken.json');
    writeFileSync(file, text);
    const error = await failureOf(replayHistories(file, { workflows: WORKFLOWS }));
    expect(error.code).toBe('INPUT_UNREADABLE');
    expect(error.message).toContain('broken.json');
    expect(error.message).toContain(reason);
  });

  test('a folder without histories is an error, not a success', async () => {
    const error = await failureOf(replayHistories(temporaryFolder(), { workflows: WORKFLOWS }));
    expect(error.code).toBe('INPUT_UNREADABLE');
  });
});
