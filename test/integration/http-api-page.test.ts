/** docs/http-api.md is run as it stands. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { MAIN } from '../support/cli.js';
import { codeBlocks, shownPattern } from '../support/code-blocks.js';
import { PageShell } from '../support/page-shell.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';

it('does what docs/http-api.md says', { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  const [shell, server] = [0, 1].map(() => new PageShell(temporaryFolder(), { TEMPORAL_ADDRESS: undefined }));
  if (shell === undefined || server === undefined) throw new Error('no shell');
  onTestFinished(async () => void (await server.interruptAll()));
  await shell.run(`cd '${folder}'`);
  await server.run(`cd '${folder}'`);
  const blocks = codeBlocks(readFileSync(join(projectRoot, 'docs/http-api.md'), 'utf8'));
  let compared = 0;
  for (const [index, block] of blocks.entries()) {
    if (block.title !== undefined) writeFileSync(join(folder, block.title), block.content, { flag: 'wx' });
    const script = block.content.replaceAll('npx moraine', `'${process.execPath}' '${MAIN}'`);
    const shown = blocks[index + 1]?.content ?? '';
    if (block.flags.has('background')) await server.runInBackground(script, shownPattern(shown));
    else if (block.flags.has('run')) {
      const output = await shell.run(script);
      if (!shownPattern(shown).test(output)) expect(output, `docs/http-api.md:${block.line}`).toBe(shown);
    } else continue;
    compared += 1;
  }
  expect(compared).toBe(6);
  expect(compared).toBe(blocks.filter((block) => block.flags.has('output')).length);
  expect(await server.interruptAll()).toEqual([0]);
});
