/** The modules that a command loads. Loading is most of the time of a short command, and the time itself depends on the machine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../support/paths.js';
import { PROGRAM_LIMIT } from '../support/program-limit.js';

const program = join(projectRoot, 'dist/cli/main.js');
const library = [
  '--input-type=module',
  '--eval',
  `await import('${pathToFileURL(join(projectRoot, 'dist/index.js')).href}')`,
];
const preload = pathToFileURL(join(projectRoot, 'test/support/list-loaded.mjs')).href;

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-loading-')));
  execFileSync(process.execPath, [program, 'init', folder], PROGRAM_LIMIT);
  const append = ['table', 'append', 'shop.customer_orders', 'data/customer_orders.csv', '--create'];
  execFileSync(process.execPath, [program, ...append], { cwd: folder, ...PROGRAM_LIMIT });
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Loaded {
  readonly packages: readonly string[];
  /** The files of Moraine's build. */
  readonly files: readonly string[];
  /** The rooms whose modules are in those files. */
  readonly rooms: readonly string[];
}

/** The files that Node loads when it runs with these arguments. */
function loadedBy(...args: readonly string[]): Loaded {
  const run = spawnSync(process.execPath, ['--import', preload, ...args], {
    cwd: folder,
    encoding: 'utf8',
    ...PROGRAM_LIMIT,
  });
  expect(run.status, run.stderr).toBe(0);
  const loaded = JSON.parse(run.stderr.trim().split('\n').at(-1) as string) as string[];
  const named = loaded.flatMap((file) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []);
  const dist = pathToFileURL(join(projectRoot, 'dist/')).href;
  const files = loaded.filter((file) => file.startsWith(dist)).map((file) => fileURLToPath(file));
  return { packages: unique(named), files, rooms: unique(files.flatMap(roomsOf)) };
}

const unique = (names: readonly string[]): readonly string[] => [...new Set(names)].sort();

/** The rooms of the modules that were joined into a file, by its source map. A file that only exports others has none. */
function roomsOf(file: string): readonly string[] {
  if (!existsSync(`${file}.map`)) return [];
  const { sources } = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as { readonly sources: readonly string[] };
  return sources.map((source) => relative(projectRoot, resolve(dirname(file), source)).split('/')[0] as string);
}

const heavy = (names: readonly string[]): readonly string[] =>
  names.filter((name) => /^@(temporalio|opentelemetry|grpc|duckdb)\/|^apache-arrow$/.test(name));

describe('a command loads only what it needs', () => {
  it.each([[['--version']], [['--help']], [['table', 'list', '--help']]])('%j loads its own text', (args) => {
    const { packages, rooms } = loadedBy(program, ...args);
    expect({ packages, rooms }).toEqual({ packages: ['commander'], rooms: ['cli', 'errors'] });
  });

  it.each([['table list'], ['table show shop.customer_orders'], ['view list'], ['service list'], ['entity list']])(
    '%s loads neither Temporal nor Arrow nor DuckDB',
    (command) => {
      const { packages, rooms } = loadedBy(program, ...command.split(' '));
      expect(packages).toContain('libsql');
      expect(heavy(packages)).toEqual([]);
      expect(
        rooms.filter((room) => ['workers', 'workflows', 'activities', 'schedules', 'runs'].includes(room)),
      ).toEqual([]);
    },
  );

  it('the library loads neither Temporal nor Arrow nor DuckDB before a call needs them', () => {
    expect(heavy(loadedBy(...library).packages)).toEqual([]);
  });

  it('a command and the library load few files', () => {
    // `table list` needs about 500 modules: Node took longer to find and link them one by one than to run them.
    for (const args of [[program, 'table', 'list'], library]) {
      const { files } = loadedBy(...args);
      expect(files.length).toBeGreaterThan(5);
      expect(files.length).toBeLessThan(50);
    }
  });
});
