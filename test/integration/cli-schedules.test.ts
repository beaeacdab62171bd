/** Declared schedules through the command, as processes against one Temporal server. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createMoraine } from '../../client/index.js';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testSettings } from '../support/temporal.js';

const ROWS = 'k,event_ts,v\n1,2001-01-01T00:10:00Z,1\n2,2001-01-01T01:10:00Z,2\n';

/** A project of one online view over two rows, an hour apart. */
async function project() {
  const settings = testSettings();
  const folder = temporaryFolder();
  const view = `view_${randomUUID().slice(0, 8)}`;
  const define = (schedule: string): void =>
    writeFileSync(
      join(folder, 'features.yaml'),
      `entities: [{ name: thing, joinKeys: [k] }]
featureViews:
  - name: ${view}
    entities: [thing]
    source: { table: t.rows, timestampField: event_ts }
    online: true
    features: [v]
    ${schedule}
`,
    );
  define('');
  writeFileSync(
    join(folder, 'moraine.yaml'),
    `temporal: { taskQueue: ${settings.taskQueue} }\ndefinitions: [features.yaml]\n`,
  );
  writeFileSync(join(folder, 'rows.csv'), ROWS);
  const opened = await createMoraine({ cwd: folder, fileFolders: [folder] });
  onTestFinished(() => opened.close());
  await opened.appendFile('t.rows', join(folder, 'rows.csv'), { create: true });
  const options = { cwd: folder, env: { TEMPORAL_ADDRESS: inject('temporalAddress') } };
  return {
    ...{ folder, view, define },
    ok: (...args: string[]) => moraineOk(args, options),
    json: async (...args: string[]) => jsonLines(await moraineOk([...args, '--json'], options)),
  };
}

test('schedules that a view declares are made, changed and deleted by apply', async () => {
  const { folder, view, define, ok, json } = await project();
  const id = `materialize/${view}`;
  define('schedule: { every: 1h }');
  const alone = await moraine(['apply', '--dry-run'], { cwd: folder });
  expect(alone.code).toBe(0);
  expect(alone.stderr).toContain('no Temporal server is configured or runs for this project: nothing will fire');
  expect(alone.stderr).toContain('start `moraine dev`, and run `moraine apply` again');

  expect(await ok('apply', '--dry-run')).toContain(`+ schedule ${id}\nNothing was changed (--dry-run).\n`);
  expect(await ok('schedule', 'list')).toBe('There is no schedule.\n');
  expect(await ok('apply')).toContain(`+ schedule ${id}\nApplied.\n`);
  define('schedule: { every: 30m }');
  expect(await ok('apply')).toContain(`~ schedule ${id}\n    every: "1h" -> "30m"\n`);
  expect(await json('schedule', 'list')).toMatchObject([{ id, every: '30m', declaredOn: view, paused: false }]);
  define('');
  expect(await ok('apply')).toContain(`- schedule ${id}\nApplied.\n`);
  expect(await ok('schedule', 'list')).toBe('There is no schedule.\n');
});
