/** The contract of `moraine table scan`, on the real command, real files and a real catalog. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { jsonLines, MAIN, moraine, moraineOk } from '../support/cli.js';

// Each test starts processes of its own and changes no table but its own: as many at once as there are cores.
vi.setConfig({ maxConcurrency: 2 });

/** A folder whose name holds what a URL parser, a shell or a glob would change. */
const HOSTILE = `a b%20c+d#e?f'g"h[i]*`;

const FIRST = [
  { id: 1, at: '2001-01-01T00:00:00.000000Z', delay: 5, city: 'San Francisco', share: 0.5 },
  { id: 2, at: '2001-01-01T00:00:00.000001Z', delay: -3, city: '', share: 1.25 },
  { id: 3, at: '2001-02-01T12:30:00.000000Z', delay: null, city: 'São "Paulo", BR', share: null },
];
const SECOND = [{ id: 4, at: '2001-03-01T00:00:00.000000Z', delay: 60, city: null, share: 2 }];

let base: string;
let project: string;

beforeAll(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-scan-')));
  project = join(base, HOSTILE);
  mkdirSync(project);
  writeFileSync(join(project, 'moraine.yaml'), 'catalogs: { local: { warehouse: ware house } }\n');
  writeFileSync(
    join(project, 'first.csv'),
    'id,at,delay,city,share\n' +
      '1,2001-01-01T00:00:00Z,5,San Francisco,0.5\n' +
      '2,2001-01-01 00:00:00.000001+00:00,-3,"",1.25\n' +
      '3,2001-02-01T13:30:00+01:00,,"São ""Paulo"", BR",\n',
  );
  writeFileSync(join(project, 'second.csv'), 'id,at,delay,city,share\n4,2001-03-01T00:00:00Z,60,,2\n');
  await moraineOk(['table', 'append', 't.flights', 'first.csv', '--create', '--partition', 'month(at)'], {
    cwd: project,
  });
  await moraineOk(['table', 'append', 't.flights', 'second.csv'], { cwd: project });
});
afterAll(() => rmSync(base, { recursive: true }));

const scan = (...args: string[]) => moraine(['table', 'scan', ...args], { cwd: project });

async function rows(...args: string[]): Promise<unknown[]> {
  const result = await scan(...args);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  return jsonLines(result.stdout).sort((a, b) => (a as { id: number }).id - (b as { id: number }).id);
}

interface Shown {
  readonly location: string;
  readonly metadataLocation: string;
}

async function show(table = 't.flights'): Promise<Shown> {
  return JSON.parse(await moraineOk(['table', 'show', table, '--json'], { cwd: project })) as Shown;
}

interface History {
  readonly snapshotId: string;
  readonly timestamp: string;
}

async function history(): Promise<[History, History]> {
  return jsonLines(await moraineOk(['table', 'history', 't.flights', '--json'], { cwd: project })) as [
    History,
    History,
  ];
}

describe.concurrent('a table of the catalog', () => {
  it('prints every column of every row', async () => {
    expect(await rows('t.flights')).toEqual([...FIRST, ...SECOND]);
    expect(await rows('local/t.flights')).toEqual([...FIRST, ...SECOND]);
  });

  it('prints the bytes of the contract', async () => {
    const { stdout } = await scan('t.flights', '--where', 'id = 2');
    expect(stdout).toBe('{"id":2,"at":"2001-01-01T00:00:00.000001Z","delay":-3,"city":"","share":1.25}\n');
  });

  it('prints nothing for no rows, and succeeds', async () => {
    expect(await scan('t.flights', '--where', 'id = 99')).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });

  it.each([
    [['t.nope'], 3, 'TABLE_NOT_FOUND'],
    [['nope.flights'], 3, 'TABLE_NOT_FOUND'],
    [['flights'], 2, 'INVALID_ARGUMENT'],
    [['x/t.flights'], 2, 'INVALID_ARGUMENT'],
    [['t.flights', '--root', '.'], 2, 'INVALID_ARGUMENT'],
    [['t.flights', '--columns', 'ID'], 3, 'COLUMN_NOT_FOUND'],
    [['t.flights', '--columns', 'id, at'], 3, 'COLUMN_NOT_FOUND'],
    [['t.flights', '--where', 'ID = 1'], 3, 'COLUMN_NOT_FOUND'],
    [['t.flights', '--where', 'id = (SELECT 1)'], 2, 'EXPRESSION_INVALID'],
    [['t.flights', '--where', "read_text('/etc/passwd') = 'x'"], 2, 'EXPRESSION_INVALID'],
    [['t.flights', '--where', ''], 2, 'EXPRESSION_INVALID'],
    [['t.flights', '--snapshot', '12'], 3, 'SNAPSHOT_NOT_FOUND'],
    [['t.flights', '--snapshot', 'last'], 2, 'INVALID_ARGUMENT'],
    [['t.flights', '--snapshot', '9223372036854775808'], 2, 'INVALID_ARGUMENT'],
    [['t.flights', '--ref', 'nope'], 3, 'SNAPSHOT_NOT_FOUND'],
    [['t.flights', '--as-of', '1999-01-01'], 3, 'SNAPSHOT_NOT_FOUND'],
    [['t.flights', '--as-of', 'yesterday'], 2, 'INVALID_ARGUMENT'],
    [['t.flights', '--out', 'rows.xlsx'], 2, 'INVALID_ARGUMENT'],
  ])('%j is refused', async (args, code, errorCode) => {
    const result = await scan(...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(new RegExp(`^error: [^\\n]* \\[${errorCode}\\]\\n  [^\\n]+\\n$`));
  });
});

describe.concurrent('--snapshot, --ref and --as-of', () => {
  it('choose a state of the table', async () => {
    const [first, second] = await history();
    expect(await rows('t.flights', '--snapshot', first.snapshotId)).toEqual(FIRST);
    expect(await rows('t.flights', '--as-of', first.timestamp)).toEqual(FIRST);
    expect(await rows('t.flights', '--as-of', second.timestamp)).toEqual([...FIRST, ...SECOND]);
    expect(await rows('t.flights', '--as-of', '2999-01-01')).toEqual([...FIRST, ...SECOND]);
    expect(await rows('t.flights', '--ref', 'main')).toEqual([...FIRST, ...SECOND]);
  });
});

describe.concurrent('--columns and --where', () => {
  it('columns come in the order asked for', async () => {
    expect((await scan('t.flights', '--columns', 'city,id', '--where', 'id = 1')).stdout).toBe(
      '{"city":"San Francisco","id":1}\n',
    );
  });

  it.each([
    ['delay > 0', [1, 4]],
    ['NOT delay > 0', [2]],
    ['delay IS NULL', [3]],
    ["city = ''", [2]],
    ['city IS NULL', [4]],
    ["city LIKE 'S%'", [1, 3]],
    ["at >= '2001-02-01T12:30:00Z'", [3, 4]],
    ["at < TIMESTAMP '2001-01-01 00:00:00.000001'", [1]],
    ['id IN (1, 3) OR share = 2', [1, 3, 4]],
    ['"share" <= 0.5 AND isnan(share)', []],
  ])('%s', async (where, ids) => {
    expect(
      (await rows('t.flights', '--columns', 'id', '--where', where)).map((row) => (row as { id: number }).id),
    ).toEqual(ids);
  });
});

describe.concurrent('formats', () => {
  it('csv, json and --format over the extension of --out', async () => {
    expect((await scan('t.flights', '--where', 'id = 3', '--columns', 'id,delay,city', '--format', 'csv')).stdout).toBe(
      'id,delay,city\n3,,"São ""Paulo"", BR"\n',
    );
    expect(
      JSON.parse((await scan('t.flights', '--columns', 'id', '--format', 'json', '--where', 'id < 2')).stdout),
    ).toEqual([{ id: 1 }]);
    expect(
      await scan('t.flights', '--columns', 'id', '--where', 'id < 2', '--out', 'out.csv', '--format', 'jsonl'),
    ).toMatchObject({
      code: 0,
      stdout: '',
    });
    expect(readFileSync(join(project, 'out.csv'), 'utf8')).toBe('{"id":1}\n');
  });

  it.each(['parquet', 'arrow', 'csv', 'json'])('%s can be written and appended again or read', async (format) => {
    const file = `copy.${format}`;
    expect(await scan('t.flights', '--out', file)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(join(project, file)).length).toBeGreaterThan(0);
    expect(readdirSync(project).filter((name) => name.startsWith(`${file}.`))).toEqual([]);
  });
});

describe.concurrent('the location of a metadata file', () => {
  it('is the same file in every spelling, with no configuration and no decoding', async () => {
    const { metadataLocation } = await show();
    const path = metadataLocation.replace(/^file:(\/\/)?(?=\/)/, '');
    expect(path).toContain(HOSTILE);
    for (const spelling of [path, `file:${path}`, `file://${path}`]) {
      const result = await moraine(['table', 'scan', spelling], { cwd: tmpdir() });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(jsonLines(result.stdout)).toHaveLength(4);
    }
    for (const spelling of [basename(path), `./${basename(path)}`, `../metadata/${basename(path)}`]) {
      const result = await moraine(['table', 'scan', spelling], { cwd: dirname(path) });
      expect(result).toMatchObject({ code: 0, stderr: '' });
      expect(jsonLines(result.stdout)).toHaveLength(4);
    }
    const decoded = await moraine(['table', 'scan', path.replace('%20', ' ')], { cwd: tmpdir() });
    expect(decoded).toMatchObject({ code: 7, stdout: '' });
    expect(decoded.stderr).toContain('[FILE_NOT_FOUND]');
  });

  it.each([
    'abfss://bucket/t/v1.metadata.json',
    'http://127.0.0.1:1/v1.metadata.json',
    'file://host/v1.metadata.json',
    'memory:x',
  ])('of another scheme is refused: %s', async (location) => {
    const result = await scan(location);
    expect(result).toMatchObject({ code: 5, stdout: '' });
    expect(result.stderr).toContain('[LOCATION_REFUSED]');
  });

  it('may be compressed, under both names that writers use, or plain', async () => {
    const { metadataLocation } = await show();
    expect(metadataLocation).toMatch(/\.gz\.metadata\.json$/);
    const compressed = readFileSync(metadataLocation);
    const copies = { '00009-x.metadata.json.gz': compressed, '00009-y.metadata.json': gunzipSync(compressed) };
    for (const [name, bytes] of Object.entries(copies)) {
      const copy = join(dirname(metadataLocation), name);
      writeFileSync(copy, bytes);
      expect(jsonLines((await scan(copy)).stdout)).toHaveLength(4);
    }
  });

  it('is refused beyond a size, before and after decompression', async () => {
    const big = join(base, 'big.metadata.json');
    writeFileSync(big, '');
    truncateSync(big, 2 ** 31);
    expect(await scan(big)).toMatchObject({
      code: 5,
      stdout: '',
      stderr: expect.stringContaining('[LIMIT_EXCEEDED]') as string,
    });
    const bomb = join(base, 'bomb.metadata.json.gz');
    const mebibyte = gzipSync(Buffer.alloc(2 ** 26, ' '));
    writeFileSync(bomb, Buffer.concat(Array.from({ length: 24 }, () => mebibyte)));
    expect(await scan(bomb)).toMatchObject({
      code: 5,
      stdout: '',
      stderr: expect.stringContaining('[LIMIT_EXCEEDED]') as string,
    });
  });

  it.each(['', '{', '{}', 'null', '[1]', '{"format-version": 9}'])(
    'with the content %j is an error that names it',
    async (content) => {
      const file = join(mkdtempSync(join(base, 'broken-')), 'broken.metadata.json');
      writeFileSync(file, content);
      const result = await scan(file);
      expect([6, 7]).toContain(result.code);
      expect(result.stdout).toBe('');
      expect(result.stderr).toContain('broken.metadata.json');
    },
  );
});

describe.concurrent('files outside the root are refused at every hop', () => {
  const refused = { code: 5, stdout: '', stderr: expect.stringContaining('[LOCATION_REFUSED]') as string };

  /** A folder that holds a copy of the metadata file, changed, and of the current manifest list. */
  async function copyOfMetadata(change: (text: string, list: string, folder: string) => string) {
    const { metadataLocation } = await show();
    const folder = mkdtempSync(join(base, 'root-'));
    const text = gunzipSync(readFileSync(metadataLocation)).toString();
    const lists = [...text.matchAll(/"manifest-list"\s*:\s*"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1] ?? '');
    const list = lists.at(-1) ?? '';
    copyFileSync(JSON.parse(`"${list}"`) as string, join(folder, 'list.avro'));
    const file = join(folder, 'v1.metadata.json');
    writeFileSync(file, change(text, list, folder));
    return { file, folder };
  }

  it('the manifest list', async () => {
    const { metadataLocation } = await show();
    expect(await scan(metadataLocation, '--root', join(base))).toMatchObject({ code: 0 });
    expect(await scan(metadataLocation, '--root', mkdtempSync(join(base, 'empty-')))).toMatchObject(refused);
  });

  it('the manifest', async () => {
    const { file, folder } = await copyOfMetadata((text, list, to) => text.replaceAll(list, join(to, 'list.avro')));
    expect(await scan(file, '--root', base)).toMatchObject({ code: 0 });
    expect(await scan(file, '--root', folder)).toMatchObject(refused);
  });

  it('the data file', async () => {
    const { metadataLocation } = await show();
    expect(await scan(metadataLocation, '--root', dirname(metadataLocation))).toMatchObject(refused);
  });

  it('through a symbolic link', async () => {
    const { file, folder } = await copyOfMetadata((text, list, to) => text.replaceAll(list, join(to, 'link.avro')));
    const outside = join(base, 'outside.avro');
    copyFileSync(join(folder, 'list.avro'), outside);
    symlinkSync(outside, join(folder, 'link.avro'));
    expect(await scan(file, '--root', folder)).toMatchObject(refused);
  });

  it('through ..', async () => {
    const { file, folder } = await copyOfMetadata((text, list, to) => text.replaceAll(list, `${to}/../beside.avro`));
    copyFileSync(join(folder, 'list.avro'), join(base, 'beside.avro'));
    expect(await scan(file, '--root', folder)).toMatchObject(refused);
  });

  it('by another scheme', async () => {
    const { file } = await copyOfMetadata((text, list) => text.replaceAll(list, 's3://bucket/list.avro'));
    expect(await scan(file, '--root', base)).toMatchObject(refused);
  });

  it('and by default outside the location that the table has', async () => {
    const { file } = await copyOfMetadata((text) =>
      text.replace(/("location"\s*:\s*)"(?:[^"\\]|\\.)*"/, `$1"${base}/elsewhere"`),
    );
    expect(await scan(file)).toMatchObject(refused);
    const root = await copyOfMetadata((text) => text.replace(/("location"\s*:\s*)"(?:[^"\\]|\\.)*"/, '$1"/"'));
    expect(await scan(root.file)).toMatchObject(refused);
  });
});

describe.concurrent('a damaged table prints an error that names the file, and no row', () => {
  let copies = 0;

  /** A table of one file, and that file. */
  async function damaged(): Promise<{ table: string; file: string }> {
    copies += 1;
    const table = `d.t${copies}`;
    await moraineOk(['table', 'append', table, 'first.csv', '--create'], { cwd: project });
    const [only] = jsonLines(await moraineOk(['table', 'files', table, '--json'], { cwd: project })) as [
      { path: string },
    ];
    return { table, file: only.path };
  }

  async function expectDamage(table: string, file: string): Promise<void> {
    const result = await scan(table);
    expect(result).toMatchObject({ code: 7, stdout: '' });
    expect(result.stderr).toContain(basename(file));
  }

  it('missing', async () => {
    const { table, file } = await damaged();
    unlinkSync(file);
    await expectDamage(table, file);
  });

  it('shorter than recorded', async () => {
    const { table, file } = await damaged();
    writeFileSync(file, readFileSync(file).subarray(0, -1));
    await expectDamage(table, file);
  });

  it('longer than recorded', async () => {
    const { table, file } = await damaged();
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('x')]));
    await expectDamage(table, file);
  });

  it('with a broken footer', async () => {
    const { table, file } = await damaged();
    const bytes = readFileSync(file);
    bytes.fill(0xff, bytes.length - 40, bytes.length - 8);
    writeFileSync(file, bytes);
    await expectDamage(table, file);
  });

  it('with a broken page', async () => {
    const { table, file } = await damaged();
    const bytes = readFileSync(file);
    bytes.fill(0xff, 4, 60);
    writeFileSync(file, bytes);
    await expectDamage(table, file);
  });

  it('a folder in its place', async () => {
    const { table, file } = await damaged();
    renameSync(file, `${file}.moved`);
    mkdirSync(file);
    await expectDamage(table, file);
  });

  it('a manifest that is not Avro', async () => {
    const { table, file } = await damaged();
    const metadata = join(dirname(dirname(file)), 'metadata');
    const manifest = readdirSync(metadata).find((name) => name.endsWith('.avro') && !name.startsWith('snap-')) ?? '';
    writeFileSync(join(metadata, manifest), 'not avro');
    await expectDamage(table, manifest);
  });
});

describe.concurrent('a reader that goes away', () => {
  it('ends the command quietly', async () => {
    const lines = Array.from({ length: 300_000 }, (_, i) => `${i},${'x'.repeat(20)}`);
    writeFileSync(join(project, 'long.csv'), `id,text\n${lines.join('\n')}\n`);
    await moraineOk(['table', 'append', 't.long', 'long.csv', '--create'], { cwd: project });
    const script = '"$0" "$1" table scan t.long 2>err | head -n 2; echo "${PIPESTATUS[0]}"';
    const child = spawn('bash', ['-c', script, process.execPath, MAIN], { cwd: project });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    await once(child, 'close');
    expect(stdout).toBe(`{"id":0,"text":"${'x'.repeat(20)}"}\n{"id":1,"text":"${'x'.repeat(20)}"}\n0\n`);
    expect(readFileSync(join(project, 'err'), 'utf8')).toBe('');
  });
});
