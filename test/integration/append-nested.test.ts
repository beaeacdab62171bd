/** CSV and JSON Lines appended to a table with nested columns: the table's types are what is read. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { moraine, moraineOk } from '../support/cli.js';

// Each command is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

const list = (id: number, element: unknown) => ({
  type: 'list',
  'element-id': id,
  element,
  'element-required': false,
});
const map = (id: number, key: unknown, value: unknown, required = false) => ({
  type: 'map',
  'key-id': id,
  key,
  'value-id': id + 1,
  value,
  'value-required': required,
});
const field = (id: number, name: string, type: unknown, required = false) => ({ id, name, type, required });

const SCHEMA = {
  type: 'struct',
  'schema-id': 0,
  fields: [
    field(1, 'id', 'int'),
    field(2, 's', {
      type: 'struct',
      fields: [field(10, 'a/b~"', 'int', true), field(11, 'day', 'date'), field(12, 'amount', 'decimal(38,18)')],
    }),
    field(3, 'l', list(20, list(21, 'timestamptz'))),
    field(4, 'm', map(30, 'string', { type: 'struct', fields: [field(32, 'x', 'long'), field(33, 'd', 'double')] })),
    field(5, 'n', map(40, 'long', list(42, 'decimal(20,2)'), true)),
  ],
};

/** A row as it is written, and as a scan must print it: the types decide, not how the file wrote it. */
const ROWS: readonly (readonly [written: Readonly<Record<string, string>>, read: string])[] = [
  [
    {
      id: '1',
      s: String.raw`{"a/b~\"": 7, "day": "2001-02-03", "amount": "12345678901234567890.123456789012345678"}`,
      l: '[["2001-01-01T05:45:00+05:45", "1969-12-31T23:59:59.999999Z"], [], null, [null]]',
      m: '[["k", {"x": 9223372036854775807, "d": 0.30000000000000004}], ["", {"x": "-5"}], ["null", null]]',
      n: '[[2, [0.1, 3, "12345678901234567.89"]], [10, []]]',
    },
    String.raw`{"id":1,"s":{"a/b~\"":7,"day":"2001-02-03","amount":12345678901234567890.123456789012345678},` +
      '"l":[["2001-01-01T00:00:00.000000Z","1969-12-31T23:59:59.999999Z"],[],null,[null]],' +
      '"m":[["k",{"x":9223372036854775807,"d":0.30000000000000004}],["",{"x":-5,"d":null}],["null",null]],' +
      '"n":[[2,[0.10,3.00,12345678901234567.89]],[10,[]]]}',
  ],
  [
    { id: '2', s: String.raw`{"a/b~\"": 5}`, l: '[]', m: '[]', n: 'null' },
    String.raw`{"id":2,"s":{"a/b~\"":5,"day":null,"amount":null},"l":[],"m":[],"n":null}`,
  ],
  [{ id: '3' }, '{"id":3,"s":null,"l":null,"m":null,"n":null}'],
];

const COLUMNS = ['id', 's', 'l', 'm', 'n'];
const jsonLine = (row: Readonly<Record<string, string>>): string =>
  `{${Object.entries(row)
    .map(([name, value]) => `"${name}": ${value}`)
    .join(', ')}}\n`;
const csvCell = (text: string | undefined): string => (text === undefined ? '' : `"${text.replaceAll('"', '""')}"`);
const csvLine = (row: Readonly<Record<string, string>>): string =>
  `${COLUMNS.map((name) => (name === 'id' ? row.id : csvCell(row[name]))).join(',')}\n`;

const WRITERS = {
  jsonl: (rows: readonly Readonly<Record<string, string>>[]): string => rows.map(jsonLine).join(''),
  csv: (rows: readonly Readonly<Record<string, string>>[]): string =>
    `${COLUMNS.join(',')}\n${rows.map(csvLine).join('')}`,
};

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-nested-')));
  writeFileSync(join(folder, 'moraine.yaml'), '');
  writeFileSync(join(folder, 'schema.json'), JSON.stringify(SCHEMA));
});
afterAll(() => rmSync(folder, { recursive: true }));

const ok = (...args: string[]): Promise<string> => moraineOk(args, { cwd: folder });

describe.each(['jsonl', 'csv'] as const)('%s', (format) => {
  const table = `t.from_${format}`;
  const file = `rows.${format}`;
  beforeAll(() => ok('table', 'create', table, '--schema', 'schema.json'));

  it('becomes structs, lists and maps of the table', async () => {
    writeFileSync(join(folder, file), WRITERS[format](ROWS.map(([written]) => written)));
    await ok('table', 'append', table, file);
    expect(await ok('table', 'scan', table)).toBe(ROWS.map(([, read]) => `${read}\n`).join(''));
  });

  it('is refused where a value does not fit, by its place, before anything is written', async () => {
    const place = format === 'csv' ? 'line 3' : 'row 2';
    const wrong: readonly (readonly [string, string, string])[] = [
      ['s', String.raw`{"a/b~\"": "x"}`, String.raw`.a/b~" "x" does not fit int exactly`],
      ['s', '{"day": "2001-02-03"}', '.a/b~" is required, but null'],
      ['s', String.raw`{"a/b~\"": 1, "Day": null}`, ' has the unknown key "Day"'],
      ['s', String.raw`{"a/b~\"": 1, "day": "2001-02-30"}`, '.day "2001-02-30" does not fit date exactly'],
      ['s', '[1]', ' [1] does not fit an object'],
      ['l', '[["2001-01-01"], ["soon"]]', '[1][0] "soon" does not fit timestamptz exactly'],
      ['l', '["2001-01-01"]', '[0] "2001-01-01" does not fit an array'],
      ['m', '{"k":{"x":1}}', ' {"k":{"x":1}} does not fit an array of [key, value]'],
      ['m', '[["k", {"x": 1}], ["k", null]]', ' has a key twice'],
      ['m', '[["k"]]', '[0] ["k"] is no [key, value]'],
      ['m', '[[null, null]]', '[0] has no key'],
      ['m', '[[7, null]]', '[0][0] 7 does not fit string exactly'],
      ['m', '[["k", {"x": 1.5}]]', '[0][1].x 1.5 does not fit long exactly'],
      ['n', '[[1, null]]', '[0][1] is required, but null'],
      ['n', '[[1, [0.125]]]', '[0][1][0] 0.125 does not fit decimal(20, 2) exactly'],
    ];
    // All columns of one file are reported at once.
    for (let round = 0; round < 6; round++) {
      const some = ['s', 'l', 'm', 'n'].flatMap((name) =>
        wrong.filter(([column]) => column === name).slice(round, round + 1),
      );
      const bad = Object.fromEntries(some.map(([column, value]) => [column, value]));
      writeFileSync(join(folder, file), WRITERS[format]([{ id: '1' }, { id: '2', ...bad }, { id: '3', ...bad }]));
      const { code, stdout, stderr } = await moraine(['table', 'append', table, file], { cwd: folder });
      expect([code, stdout]).toEqual([2, '']);
      const lines = some.map(
        ([column, , reason]) => `column "${column}", ${place}: ${reason.trimStart()} (2 such values)`,
      );
      expect(stderr.split(' [TYPE_MISMATCH]')[0]).toBe(`error: ${lines.join('\n  ')}`);
    }
  });

  it('is refused where a reader of JSON would have rounded', async () => {
    const number = '0.1000000000000000055';
    for (const row of [{ s: String.raw`{"a/b~\"": 1, "amount": ${number}}` }, { n: `[[1, [2, ${number}]]]` }]) {
      writeFileSync(join(folder, file), WRITERS[format]([{ id: '1', ...row }]));
      const { code, stderr } = await moraine(['table', 'append', table, file], { cwd: folder });
      expect(code).toBe(2);
      expect(stderr).toContain('with a fraction cannot be read exactly; write them in quotes [TYPE_MISMATCH]');
    }
  });

  it('has not changed the table with what was refused', async () => {
    expect(await ok('table', 'scan', table)).toBe(ROWS.map(([, read]) => `${read}\n`).join(''));
  });
});

it('refuses a CSV field that is not JSON', async () => {
  await ok('table', 'create', 't.cells', '--schema', 'schema.json');
  writeFileSync(join(folder, 'cells.csv'), 'id,l\n1,[]\n2,[oops\n3,yes\n');
  const { code, stderr } = await moraine(['table', 'append', 't.cells', 'cells.csv'], { cwd: folder });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^error: column "l", line 3: \[oops is not JSON \(2 such values\) \[TYPE_MISMATCH\]/);
});
