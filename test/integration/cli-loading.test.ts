/** What a command loads. Loading is most of the time of a short command, and the time itself depends on the machine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../support/paths.js';

const program = join(projectRoot, 'dist/cli/main.js');
const preload = pathToFileURL(join(projectRoot, 'test/support/list-loaded.mjs')).href;

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-loading-')));
  execFileSync(process.execPath, [program, 'init', folder]);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The packages and the rooms of Moraine that a command loads. */
function loadedBy(args: readonly string[]): {
  readonly packages: readonly string[];
  readonly rooms: readonly string[];
} {
  const run = spawnSync(process.execPath, ['--import', preload, program, ...args], { cwd: folder, encoding: 'utf8' });
  expect(run.status, run.stderr).toBe(0);
  const files = JSON.parse(run.stderr.trim().split('\n').at(-1) as string) as string[];
  const named = (pattern: RegExp): string[] =>
    [...new Set(files.flatMap((file) => pattern.exec(file)?.[1] ?? []))].sort();
  return {
    packages: named(/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/),
    rooms: named(/^(?!.*node_modules).*\/dist\/([^/]+)\//),
  };
}

describe('a command loads only what it needs', () => {
  it.each([[['--version']], [['--help']], [['table', 'list', '--help']]])('%j loads its own text', (args) => {
    expect(loadedBy(args)).toEqual({ packages: ['commander'], rooms: ['cli', 'errors'] });
  });

  it.each([[['table', 'list']], [['view', 'list']], [['service', 'list']], [['entity', 'list']]])(
    '%j loads neither Temporal nor Arrow',
    (args) => {
      const { packages, rooms } = loadedBy(args);
      expect(packages).toContain('libsql');
      expect(packages.filter((name) => /^@(temporalio|opentelemetry|grpc)\/|^apache-arrow$/.test(name))).toEqual([]);
      expect(
        rooms.filter((room) => ['workers', 'workflows', 'activities', 'schedules', 'runs'].includes(room)),
      ).toEqual([]);
    },
  );
});
