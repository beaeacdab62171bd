import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { MAIN } from './cli.js';
import { codeBlocks, shownPattern } from './code-blocks.js';
import { PageShell } from './page-shell.js';
import { projectRoot } from './paths.js';

/**
 * Does what a page says, in order: writes the blocks that have a title, runs each `sh` block, and compares its output with the block
 * after it. `npx moraine` is the built command.
 * @param page its path in the project
 * @param commands other commands of the page, each with the program that stands for it
 * @param environment variables that the reader has set
 */
export async function runPage(
  page: string,
  folder: string,
  commands: ReadonlyMap<string, string> = new Map(),
  environment: NodeJS.ProcessEnv = {},
) {
  const shell = new PageShell(folder, { TEMPORAL_ADDRESS: undefined, ...environment });
  const blocks = codeBlocks(readFileSync(join(projectRoot, page), 'utf8'));
  const programs = [...commands, ['npx moraine', `'${process.execPath}' '${MAIN}'`] as const];
  let compared = 0;
  for (const [index, block] of blocks.entries()) {
    if (block.title !== undefined) {
      mkdirSync(dirname(join(folder, block.title)), { recursive: true });
      writeFileSync(join(folder, block.title), block.content, { flag: 'wx' });
    }
    if (block.language !== 'sh') continue;
    const script = programs.reduce((text, [name, program]) => text.replaceAll(name, program), block.content);
    const output = await shell.run(script);
    const shown = blocks[index + 1];
    expect(shown?.flags.has('output'), `${page}:${block.line} shows its output`).toBe(true);
    if (!shownPattern(shown?.content ?? '').test(output)) expect(output, `${page}:${block.line}`).toBe(shown?.content);
    compared += 1;
  }
  expect(compared).toBeGreaterThan(0);
  expect(compared).toBe(blocks.filter((block) => block.flags.has('output')).length);
}
