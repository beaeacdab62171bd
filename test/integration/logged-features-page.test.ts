/** docs/logged-features.md is run as it stands. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { jsonLines, MAIN, moraine, moraineOk } from '../support/cli.js';
import { codeBlocks, shownPattern } from '../support/code-blocks.js';
import { PageShell } from '../support/page-shell.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';

const PAGE = readFileSync(join(projectRoot, 'docs/logged-features.md'), 'utf8');

it('does what docs/logged-features.md says', { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  const shell = new PageShell(folder, { TEMPORAL_ADDRESS: undefined });
  const blocks = codeBlocks(PAGE);
  let compared = 0;
  for (const [index, block] of blocks.entries()) {
    if (block.title !== undefined) writeFileSync(join(folder, block.title), block.content, { flag: 'wx' });
    if (block.language !== 'sh') continue;
    const output = await shell.run(block.content.replaceAll('npx moraine', `'${process.execPath}' '${MAIN}'`));
    const shown = blocks[index + 1];
    expect(shown?.flags.has('output'), `line ${block.line} shows its output`).toBe(true);
    if (!shownPattern(shown?.content ?? '').test(output)) {
      expect(output, `docs/logged-features.md:${block.line}`).toBe(shown?.content);
    }
    compared += 1;
  }
  expect(compared).toBe(blocks.filter((block) => block.flags.has('output')).length);

  const cwd = join(folder, 'shop');
  const served = jsonLines(await moraineOk(['features', 'logged', 'heating'], { cwd }));
  expect(served).toMatchObject([
    { sensor: 1, readings__temperature: 20.5, readings__temperature__status: 'PRESENT' },
    { sensor: 2, readings__temperature: 21.5, readings__temperature__status: 'PRESENT' },
  ]);
  const compare = ['features', 'log-compare', 'heating'];
  const json = JSON.parse(await moraineOk([...compare, '--json', '--examples', '0'], { cwd })) as object;
  expect(json).toMatchObject({
    service: 'heating',
    rows: 2,
    matches: false,
    features: [{ name: 'readings__temperature', match: 1, mismatch: { total: 1, late: 1 }, missing: { total: 0 } }],
    examples: [],
  });
  const checked = await moraine([...compare, '--check'], { cwd });
  expect(checked.code).not.toBe(0);
  expect(checked.stderr).toContain('[VERIFICATION_FAILED]');
  expect((await moraine([...compare, '--check', '--end', '2026-03-01'], { cwd })).code).toBe(0);
  const view = await moraine(['online', 'get', 'readings', '--entity', 'sensor=1', '--log'], { cwd });
  expect(view.code).toBe(2);
  expect(view.stderr).toContain('answers are logged for feature services');
  const unknown = await moraine(['features', 'log-compare', 'heatin'], { cwd });
  expect(unknown.stderr).toContain('heating');
  expect(unknown.stderr).toContain('[FEATURE_SERVICE_NOT_FOUND]');
});
