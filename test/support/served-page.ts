import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { MAIN } from './cli.js';
import { codeBlocks, shownPattern } from './code-blocks.js';
import { PageShell } from './page-shell.js';
import { projectRoot } from './paths.js';
import { temporaryFolder } from './temp-folder.js';

/**
 * Does what a page says that starts a service: writes the blocks that have a title, runs those that are flagged `run` in one terminal and `background` in
 * another, and compares their output with the block after it. The service has to end well when it is interrupted.
 * @param page its path in the project
 * @param commands other commands than `npx moraine`, each with the program that stands for it
 * @param example the folder of the repository that the reader has copied and is in
 * @returns how many outputs were compared: all that the page shows
 */
export async function runServedPage(
  page: string,
  commands: ReadonlyMap<string, string> = new Map(),
  example?: string,
): Promise<number> {
  const folder = temporaryFolder();
  // Without what a reader's own run has left.
  const isKept = (path: string): boolean => !['.env', '.moraine'].includes(basename(path));
  if (example !== undefined) cpSync(join(projectRoot, example), folder, { recursive: true, filter: isKept });
  const [shell, server] = [0, 1].map(() => new PageShell(temporaryFolder(), { TEMPORAL_ADDRESS: undefined }));
  if (shell === undefined || server === undefined) throw new Error('no shell');
  onTestFinished(async () => void (await server.interruptAll()));
  await shell.run(`cd '${folder}'`);
  await server.run(`cd '${folder}'`);
  const programs = [...commands, ['npx moraine', `'${process.execPath}' '${MAIN}'`] as const];
  const blocks = codeBlocks(readFileSync(join(projectRoot, page), 'utf8'));
  let compared = 0;
  for (const [index, block] of blocks.entries()) {
    if (block.title !== undefined) writeFileSync(join(folder, block.title), block.content, { flag: 'wx' });
    const script = programs.reduce((text, [name, program]) => text.replaceAll(name, program), block.content);
    const shown = blocks[index + 1]?.content ?? '';
    if (block.flags.has('background')) await server.runInBackground(script, shownPattern(shown));
    else if (block.flags.has('run')) {
      const output = await shell.run(script);
      if (!shownPattern(shown).test(output)) expect(output, `${page}:${block.line}`).toBe(shown);
    } else continue;
    compared += 1;
  }
  expect(compared).toBe(blocks.filter((block) => block.flags.has('output')).length);
  expect(await server.interruptAll()).toEqual([0]);
  return compared;
}
