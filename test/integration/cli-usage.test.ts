import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { moraine, moraineOk } from '../support/cli.js';
import { projectRoot } from '../support/paths.js';

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-cli-')));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('help', () => {
  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
    expect(await moraineOk(['--version'])).toBe(`${version}\n`);
  });

  it.each([[[]], [['--help']], [['table']], [['table', 'scan', '--help']], [['online', 'get', '-h']]])(
    '%j goes to standard output',
    async (args) => {
      const result = await moraine(args);
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(result.stdout).toMatch(/^Usage: moraine /);
    },
  );
});

describe('a mistake in the arguments is one sentence and where to look', () => {
  it('a backfill without its range is told the options that are missing', async () => {
    const result = await moraine(['backfill', 'airport_delay', '--end', '2001-02-01']);
    expect([result.code, result.stdout]).toEqual([2, '']);
    expect(result.stderr).toMatch(/^error: --start, --step must be given; or --apply with the file of a plan\. /);
  });

  it('a service is given the name of a Feast project that Feast takes', async () => {
    const result = await moraine(['serve', '--feast-registry', 'registry.db', '--feast-project', 'my-project'], {
      cwd: folder,
    });
    expect([result.code, result.stdout]).toEqual([2, '']);
    expect(result.stderr).toContain('Feast has no project names such as "my-project"');
  });

  it.each([
    [['tabel'], "unknown command 'tabel'; did you mean table?", 'moraine'],
    [['table', 'scna', 'a.b'], "unknown command 'scna'; did you mean scan?", 'moraine table'],
    [['table', 'scan'], "missing required argument 'table'", 'moraine table scan'],
    [
      ['table', 'scan', 'a.b', 'c.d'],
      "too many arguments for 'scan'. Expected 1 argument but got 2.",
      'moraine table scan',
    ],
    [
      ['table', 'scan', 'a.b', '--colums', 'x'],
      "unknown option '--colums'; did you mean --columns?",
      'moraine table scan',
    ],
    // It lacks a required option as well; the misspelt one is what there is to correct.
    [
      ['table', 'create', 'a.b', '--shcema', 'x.json'],
      "unknown option '--shcema'; did you mean --schema?",
      'moraine table create',
    ],
    [['table', 'create', 'a.b'], "required option '--schema <file>' not specified", 'moraine table create'],
    [
      ['backfill', 'concurrency', 'backfill/v', '99'],
      "command-argument value '99' is invalid for argument 'windows'. It must be a whole number from 1 to 16.",
      'moraine backfill concurrency',
    ],
    [
      ['runs', '--limit', '0'],
      "option '--limit <count>' argument '0' is invalid. It must be a whole number from 1 on.",
      'moraine runs',
    ],
    [['table', 'scan', 'a.b', '--where'], "option '--where <expression>' argument missing", 'moraine table scan'],
    [
      ['table', 'scan', 'a.b', '--snapshot', '1', '--ref', 'x'],
      "option '--snapshot <id>' cannot be used with option '--ref <name>'",
      'moraine table scan',
    ],
    [
      ['table', 'scan', 'a.b', '--format', 'xml'],
      "option '--format <format>' argument 'xml' is invalid. Allowed choices are jsonl, json, csv, parquet, arrow.",
      'moraine table scan',
    ],
    [['table', 'create', 'a.b'], "required option '--schema <file>' not specified", 'moraine table create'],
    [['online', 'get', 'v'], "required option '--entity <key=value>' not specified", 'moraine online get'],
    [
      ['table', 'scan', 'a\u001b[31mb', 'c'],
      "too many arguments for 'scan'. Expected 1 argument but got 2.",
      'moraine table scan',
    ],
  ])('%j', async (args, sentence, command) => {
    expect(await moraine(args)).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: `error: ${sentence} [INVALID_ARGUMENT]\n  See \`${command} --help\`.\n`,
    });
  });
});

describe('without a configuration', () => {
  it.each([
    [['table', 'show', 'a.b']],
    [['apply']],
    [['materialize', 'v']],
    [['online', 'get', 'v', '--entity', 'a=1']],
  ])('%j says how to get one', async (args) => {
    expect(await moraine(args, { cwd: folder })).toEqual({
      code: 2,
      signal: null,
      stdout: '',
      stderr: `error: no moraine.yaml in ${folder} or any folder above it [CONFIG_NOT_FOUND]\n  Run \`moraine init DIR\`, or pass --config FILE.\n`,
    });
  });

  it('a mistake in the file names its line', async () => {
    writeFileSync(join(folder, 'bad.yaml'), 'online:\n  bucket: 3\n');
    expect(await moraine(['table', 'show', 'a.b', '--config', 'bad.yaml'], { cwd: folder })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `error: ${folder}/bad.yaml:2: unknown key online.bucket; did you mean buckets? [CONFIG_INVALID]\n  Correct the line that the message names.\n`,
    });
  });
});

describe('init', () => {
  it('makes a project and says what to do next', async () => {
    const printed = await moraineOk(['init', 'new shop'], { cwd: folder });
    expect(readdirSync(join(folder, 'new shop')).sort()).toEqual([
      '.gitignore',
      'data',
      'features.yaml',
      'moraine.yaml',
    ]);
    expect(printed).toContain(`Made a project in ${folder}/new shop.`);
    expect(printed).toContain("  cd 'new shop'\n");
  });

  it('overwrites nothing and names what is in the way', async () => {
    const place = join(folder, 'taken');
    mkdirSync(place);
    writeFileSync(join(place, 'features.yaml'), 'mine');
    expect(await moraine(['init', 'taken'], { cwd: folder })).toMatchObject({
      code: 4,
      stdout: '',
      stderr: `error: ${place} has features.yaml already; remove what is in the way, or choose another folder [FILE_ALREADY_EXISTS]\n  Nothing was overwritten; choose another name.\n`,
    });
    expect(readdirSync(place)).toEqual(['features.yaml']);
    expect(readFileSync(join(place, 'features.yaml'), 'utf8')).toBe('mine');
  });

  it('cannot write below a file', async () => {
    writeFileSync(join(folder, 'file'), '');
    const result = await moraine(['init', 'file/x'], { cwd: folder });
    expect(result.code).toBe(8);
    expect(result.stderr).toMatch(/^error: cannot write the project to .*: ENOTDIR.* \[STORAGE_UNAVAILABLE\]\n/);
  });
});
