/** The commands of the README, as they are written, in an empty folder; `dev`, which does not end, has a test of its own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';
import { codeBlocks } from '../support/code-blocks.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';

const README = readFileSync(join(projectRoot, 'README.md'), 'utf8');

/** The words of each `npx moraine` line under "Use it". */
function readmeCommands(): string[][] {
  const block = /## Use it\n[\s\S]*?```sh\n([\s\S]*?)```/.exec(README)?.[1] ?? '';
  return block
    .split('\n')
    .map((line) => /^npx moraine (.*?)(?: +#.*| && .*)?$/.exec(line)?.[1] ?? '')
    .filter((command) => command !== '')
    .map((command) => [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? ''));
}

it('the README works as it is written', async () => {
  const base = temporaryFolder();
  const commands = readmeCommands();
  expect(commands.map(([first]) => first)).toEqual([
    'init',
    'table',
    'apply',
    'materialize',
    'view',
    'online',
    'features',
    'backfill',
    'compact',
    'maintain',
    'dev',
  ]);
  const [init = [], ...inProject] = commands;
  await moraineOk(init, { cwd: base });
  const cwd = join(base, init[1] ?? '');
  const printed = new Map<string, string>();
  for (const command of inProject.slice(0, -1)) printed.set(command[0] ?? '', await moraineOk(command, { cwd }));
  expect(printed.get('view')).toMatch(/^online table +moraine_online.customer_activity: 8 rows, 4 files, .* kB$/m);
  const [shown] = codeBlocks(README).filter(({ flags }) => flags.has('output'));
  expect(printed.get('online')).toBe(shown?.content);
  expect(printed.get('backfill')).toContain('31 windows');
  expect(printed.get('maintain')).toContain('Would expire 0 of 1 snapshot');
  await moraineOk(['table', 'append', 'demo.training', 'training.parquet', '--create'], { cwd });
  expect(jsonLines(await moraineOk(['table', 'scan', 'demo.training'], { cwd }))).toHaveLength(5);
  // A file with other columns is refused.
  const refused = await moraine(['table', 'append', 'demo.training', 'data/customer_orders.csv'], { cwd });
  expect(refused).toMatchObject({ code: 3, stdout: '' });
  expect(refused.stderr).toContain('[COLUMN_NOT_FOUND]');
});
