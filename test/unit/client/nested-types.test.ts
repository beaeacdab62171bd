/** Deeply nested columns: every level costs as much as the one before, or the column is refused. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoraine, type Moraine, parseSchema } from '../../../index.js';
import { moraineOk } from '../../support/cli.js';
import { rejectionCode } from '../../support/error-code.js';

let folder: string;
let moraine: Moraine;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-nested-')));
  writeFileSync(join(folder, 'moraine.yaml'), 'engine: { threads: 1 }\n');
  moraine = await createMoraine({ cwd: folder, fileFolders: [folder] });
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

/** Levels from outside to inside: l for a list, m for a map, s for a struct. */
type Levels = readonly string[];

const levels = (pattern: string, depth: number): Levels => [...pattern.repeat(depth).slice(0, depth)];

let lastId = 0;

function typeJson([level, ...inner]: Levels): unknown {
  if (level === undefined) return 'long';
  const [id, second] = [++lastId, ++lastId];
  if (level === 'l') return { type: 'list', 'element-id': id, 'element-required': false, element: typeJson(inner) };
  if (level === 's')
    return { type: 'struct', fields: [{ id, name: 'in "it"', required: false, type: typeJson(inner) }] };
  return {
    type: 'map',
    'key-id': id,
    key: 'string',
    'value-id': second,
    'value-required': false,
    value: typeJson(inner),
  };
}

/** A value with two elements at its innermost level. */
function value([level, ...inner]: Levels): unknown {
  if (level === undefined) return 7;
  if (level === 's') return { 'in "it"': value(inner) };
  if (level === 'm') return [['k', value(inner)]];
  return inner.length > 0 ? [value(inner)] : [value(inner), null];
}

async function create(name: string, columns: Readonly<Record<string, Levels>>): Promise<void> {
  lastId = 0;
  const fields = Object.entries(columns).map(([column, of]) => ({
    id: ++lastId,
    name: column,
    required: false,
    type: typeJson(of),
  }));
  await moraine.createTable(name, { schema: parseSchema({ type: 'struct', 'schema-id': 0, fields } as never) });
}

function file(name: string, rows: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return path;
}

const DEEP = {
  lists: levels('l', 14),
  maps: levels('m', 14),
  structs: levels('s', 20),
  mixed: levels('lms', 21),
};

test('columns nested 14 to 21 deep are appended and scanned exactly', async () => {
  await create('a.deep', DEEP);
  const row = Object.fromEntries(Object.entries(DEEP).map(([name, of]) => [name, value(of)]));
  const empty = { lists: [], maps: [], structs: null, mixed: [] };
  await moraine.appendFile('a.deep', file('deep.jsonl', [row, empty]));
  const scanned = await moraineOk(['table', 'scan', 'a.deep', '--format', 'jsonl'], { cwd: folder });
  expect(scanned).toBe(`${JSON.stringify(row)}\n${JSON.stringify(empty)}\n`);
}, 60_000);

test('a value that does not fit deep inside is named by its place', async () => {
  await create('a.places', { mixed: levels('lms', 12) });
  const text = JSON.stringify({ mixed: value(levels('lms', 12)) }).replace('7', '"seven"');
  const path = file('places.jsonl', [JSON.parse(text)]);
  const place = '[0][0][1].in "it"'.repeat(4);
  await expect(moraine.appendFile('a.places', path)).rejects.toThrow(
    `column "mixed", row 1: ${place} "seven" does not fit long exactly`,
  );
});

test('lists and maps that are nested too deeply to be read are refused', async () => {
  await create('a.too_deep', { id: [], lists: levels('l', 40) });
  const path = file('too-deep.jsonl', [{ id: 1, lists: value(levels('l', 40)) }]);
  expect(await rejectionCode(moraine.appendFile('a.too_deep', path))).toBe('UNSUPPORTED_FEATURE');
  expect(await rejectionCode(moraine.appendFile('a.inferred', path, { create: true }))).toBe('UNSUPPORTED_FEATURE');
});
