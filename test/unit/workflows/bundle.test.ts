import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { bundleWorkflows } from '../../../workers/index.js';
import { projectRoot } from '../../support/paths.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/** Problems that the compiler reports for a file under the workflows' own settings. */
async function typeErrors(text: string): Promise<string> {
  const folder = join(temporaryFolder(), 'workflows');
  mkdirSync(folder);
  writeFileSync(join(folder, 'probe.ts'), text);
  const extending = {
    extends: join(projectRoot, 'workflows/tsconfig.json'),
    compilerOptions: { rootDir: folder },
    include: ['./*.ts'],
  };
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(extending));
  return promisify(execFile)(process.execPath, [tsc, '-p', folder]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
}

describe('workflow code cannot reach the outside', () => {
  test('the workflows themselves bundle', async () => {
    const { code } = await bundleWorkflows();
    expect(code).toContain('materializeRun');
    // The origin of lines in stack traces.
    const [, map = ''] = /sourceMappingURL=data:[^,]*,(\S+)/.exec(code) ?? [];
    const { sources } = JSON.parse(Buffer.from(map, 'base64').toString()) as { readonly sources: readonly string[] };
    expect(sources).toContain('./workflows/materialize/materialize.ts');
    expect(sources.filter((source) => source.startsWith(projectRoot))).toEqual([]);
  });

  test('a workflow that imports a module of Node does not bundle', async () => {
    const folder = temporaryFolder();
    symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
    const entry = join(folder, 'workflow.ts');
    const probe = "import { sleep } from '@temporalio/workflow';\nexport async function probe() { await sleep(1); }\n";
    writeFileSync(entry, probe);
    expect((await bundleWorkflows(entry)).code).toContain('probe');
    for (const module of ['node:fs', 'fs', 'node:crypto']) {
      writeFileSync(entry, `import * as outside from '${module}';\n${probe}export const used = outside;\n`);
      await expect(bundleWorkflows(entry), module).rejects.toThrow();
    }
  });

  test('Node, its globals and the DOM do not compile there, while plain code does', async () => {
    expect(await typeErrors('export const sum = (a: bigint, b: bigint): bigint => a + b;\n')).toBe('');
    const outside = [
      "import { readFileSync } from 'node:fs';",
      'export const text = readFileSync;',
      'export const environment = process.env;',
      'export const page = document.title;',
      'export const answer = fetch;',
      '',
    ];
    const reported = await typeErrors(outside.join('\n'));
    for (const name of ['node:fs', 'process', 'document', 'fetch']) expect(reported).toContain(name);
  });
});
