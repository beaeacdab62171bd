/** Records that are rows by their text are the same rows as when each is judged: the judging is the oracle. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connection, Engine } from '../../../engine/index.js';
import {
  type BadRecord,
  goodRowsSql,
  loadJsonRecords,
  type RecordColumn,
  type RecordOptions,
} from '../../../engine/input/json-records.js';
import { judgeRecords } from '../../../engine/input/judge-records.js';
import { plainRecords } from '../../../engine/input/plain-records.js';
import { parseSchema } from '../../../iceberg/index.js';
import { runs, seed, timeLimit } from '../../support/property-runs.js';
import { openSinkEngine } from '../../support/sink-world.js';
import { Random } from '../../worlds/random.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

const TYPES = {
  id: 'long',
  i: 'int',
  d: 'double',
  f: 'float',
  c: 'decimal(12, 2)',
  w: 'decimal(20, 3)',
  e: 'decimal(3, 3)',
  b: 'boolean',
  s: 'string',
  'ö"k ': 'string',
  t: 'timestamptz',
  p: 'timestamp',
  y: 'date',
  h: 'time',
  q: 'timestamptz',
  m: 'timestamp',
  u: 'uuid',
  n: 'timestamp_ns',
  a: { type: 'list', 'element-id': 900, element: 'int', 'element-required': false },
} as const;
type Name = keyof typeof TYPES;
const TIMES: Readonly<Record<string, RecordColumn['time']>> = { q: 'epoch_ms', m: 'epoch_s' };

function columnsOf(required: ReadonlySet<string>): readonly RecordColumn[] {
  const fields = Object.entries(TYPES).map(([name, type], index) => ({ id: index + 1, name, required: false, type }));
  return parseSchema({ type: 'struct', 'schema-id': 0, fields }).fields.map(({ name, type }) => {
    return { name, type, required: required.has(name), path: [name], time: TIMES[name] ?? 'iso' };
  });
}

type Result = { readonly rows: unknown; readonly bad: unknown; readonly count: bigint };

async function resultOf(connection: Connection, sql: string, columns: readonly RecordColumn[]) {
  const texts = columns.map((_, index) => `c${index}::VARCHAR`).join(', ');
  const aliases = columns.map((_, index) => `c${index}`).join(', ');
  // The types of both must be one.
  const types = (await connection.describe(sql)).types.map(String);
  return [types, await connection.rows(`SELECT ${texts} FROM (${sql}) AS t(${aliases})`)];
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function both(text: string, options: RecordOptions): Promise<{ found: Result; expected: Result }> {
  return await engine.withConnection(async (connection) => {
    const path = join(connection.tempDirectory, `${randomUUID()}.jsonl`);
    // What JavaScript's parser refuses is no JSON, whatever DuckDB's takes.
    const malformed: BadRecord[] = [];
    const strict = text.split('\n').map((each, line) => {
      if (each.trim() === '' || isJson(each)) return each;
      malformed.push({ line, problem: 'MALFORMED_JSON', column: null });
      return '';
    });
    writeFileSync(path, strict.join('\n'));
    const { rows, bad: others } = await loadJsonRecords(connection, path, 'oracle', options);
    const bad = [...malformed, ...others].sort((a, b) => a.line - b.line);
    const names = options.columns.map((_, index) => `c${index}`).join(', ');
    const good = `SELECT ${names} FROM (${goodRowsSql('oracle', options.columns)})`;
    const expected = { rows: await resultOf(connection, good, options.columns), bad, count: rows };
    const judged = await judgeRecords(connection, Buffer.from(text), options);
    const found = {
      rows: await resultOf(connection, judged.sql, options.columns),
      bad: judged.bad,
      count: judged.rows,
    };
    await judged.close();
    return { found, expected };
  });
}

const TEXTS = [
  '""',
  '"x"',
  '"é😀 \u2028"',
  '"\\n\\"\\/"',
  '"\\u0000"',
  '"\\ud83d\\ude00"',
  '"1"',
  '"a,\\"b\\":1}"',
  '"\u007f"',
];
const MOMENTS = [
  '"2026-01-02T03:04:05Z"',
  '"2024-02-29T23:59:59.123456+05:30"',
  '"2023-02-29T00:00:00Z"',
  '"1000-01-01 00:00:00"',
  '"0999-12-31T00:00:00Z"',
  '"9999-12-31T23:59:59.999999Z"',
  '"1969-12-31T23:59:59.9-13:59"',
  '"2026-04-31T00:00:00Z"',
  '"2026-01-01T24:00:00Z"',
  '"2026-01-01T00:00Z"',
  '"2026-01-01T00:00:00.1234567Z"',
  '"2026-01-01T00:00:00.1000000Z"',
];
const NUMBERS = [
  '0',
  '-0',
  '-0.0',
  '-0e1',
  '7',
  '-7',
  '1.0',
  '1e3',
  '1E-7',
  '0.10',
  '.5',
  '01',
  '+1',
  '1.',
  '999999999999999',
  '1000000000000001',
  '9007199254740993',
];
const DOUBLES = [
  '0.1',
  '25.0',
  '47.123456789012345',
  '0.1000000000000000055511151231257827',
  '1.7976931348623157e308',
  '1e99',
  '5e-99',
  '123456789012345.6789012345678901234',
];
const VALUES: Readonly<Record<Name, readonly string[]>> = {
  id: [...NUMBERS, '9223372036854775807', '9223372036854775808', '999999999999999999', '"5"'],
  i: [...NUMBERS, '2147483647', '2147483648', '-2147483648', '999999999'],
  d: [...NUMBERS, ...DOUBLES, 'true', '"1"'],
  f: [...NUMBERS, ...DOUBLES],
  c: [...NUMBERS, '9999999999.99', '10000000000', '1.005', '0.07', '-1234567890.12'],
  w: [...NUMBERS, '12345678901234567.125', '1.5'],
  e: ['0', '0.999', '-0.001', '1', '0.1234', '-0'],
  b: ['true', 'false', '1', '"true"', 'True'],
  s: [...TEXTS, '5', 'true', '{}'],
  'ö"k ': TEXTS,
  t: MOMENTS,
  p: MOMENTS,
  y: ['"2026-01-02"', '"2024-02-29"', '"2023-02-29"', '"2026-01-02T00:00:00"', '"0001-01-01"'],
  h: ['"00:00:00"', '"23:59:59.999999"', '"24:00:00"', '"12:30"'],
  q: ['0', '-1', '1767225600123', '99999999999999', '999999999999999', '1.5', '"1"'],
  m: ['0', '-86400', '99999999999', '999999999999', '1e3'],
  u: ['"00000000-0000-0000-0000-00000000000A"', '"x"'],
  n: MOMENTS,
  a: ['[]', '[1]', '[1.5]'],
};
/** Of each column one that is a row by its text, or none. */
const PLAIN: Readonly<Record<Name, string | null>> = {
  ...{ id: '12345678901', i: '-12', d: '47.123456789012345', f: null, c: '12.50', w: null, e: '0.125', b: 'true' },
  ...{ s: '"dé"', 'ö"k ': '"z"', t: '"2026-01-02T03:04:05.250Z"', p: '"2026-01-02 03:04:05"', y: '"2026-01-02"' },
  ...{ h: '"01:02:03"', q: '1767225600123', m: '1767225600', u: null, n: null, a: null },
};
const NAMES = Object.keys(TYPES) as readonly Name[];

/** Records of one source: keys in one order, one way to write blanks; now and then anything else. */
function recordsOf(random: Random, count: number): readonly string[] {
  const order = random.shuffle([...NAMES]);
  const [comma, colon] = random.pick([
    [',', ':'],
    [', ', ': '],
    [' ,\t', ' :  '],
  ] as const);
  return Array.from({ length: count }, () => {
    const odd = random.int(0, 9) === 0 ? random.pick(NAMES) : null;
    const members = order.flatMap((name) => {
      const value = name === odd ? random.pick(VALUES[name]) : PLAIN[name];
      const written = value === null && random.int(0, 2) === 0 ? 'null' : value;
      if (written === null || random.int(0, 300) === 0) return [];
      return [`${JSON.stringify(name)}${colon}${written}`];
    });
    if (random.int(0, 80) === 0) members.push(random.pick(members));
    if (random.int(0, 80) === 0) members.push(`"more"${colon}1`, `"ID"${colon}2`);
    if (random.int(0, 80) === 0) members.reverse();
    const record = `{${members.join(comma)}}`;
    const broken = [
      record.slice(0, -1),
      record.replace('}', ',}'),
      `${record}x`,
      `[${record}]`,
      '',
      ' \t',
      ` ${record} \r`,
    ];
    return random.int(0, 60) === 0 ? random.pick(broken) : record;
  });
}

describe('records that are rows by their text', () => {
  it('are the rows that judging gives, bad ones are named alike', { timeout: timeLimit(300_000) }, async () => {
    const random = new Random(`judge-records/${seed ?? 1}`);
    let plain = 0;
    for (let round = 0; round < runs(12); round++) {
      const required = new Set(random.pick([[], ['id'], ['id', 's', 't']] as const));
      const options = { columns: columnsOf(required), allowsExtra: random.int(0, 2) === 0 };
      const text = recordsOf(random, 400).join('\n') + random.pick(['', '\n']);
      plain += plainRecords(Buffer.from(text), options)?.count ?? 0;
      const { found, expected } = await both(text, options);
      expect(found).toEqual(expected);
    }
    // Some sources have hardly any.
    expect(plain).toBeGreaterThan(runs(12) * 150);
  });

  it.each(NAMES)('have the value of column %s that judging gives it, however it is written', async (name) => {
    const columns = columnsOf(new Set()).filter((column) => column.name === name || column.name === 'id');
    const rest = name === 'id' ? '' : `"id":1,`;
    const good = PLAIN[name] ?? 'null';
    const lines = VALUES[name].flatMap((value) =>
      // Enough of the others that they are looked for.
      [value, ...Array.from({ length: 12 }, () => good)].map((each) => `{${rest}${JSON.stringify(name)}:${each}}`),
    );
    const { found, expected } = await both(`${lines.join('\n')}\n`, { columns, allowsExtra: false });
    expect(found).toEqual(expected);
    const plain = plainRecords(Buffer.from(lines.join('\n')), { columns, allowsExtra: false });
    expect(plain?.count).toBeGreaterThan(lines.length / 2);
  });

  it('have the value that a column has where records lack its key, and null where they say so', async () => {
    const struct = parseSchema({
      fields: [
        {
          id: 1,
          name: 'o',
          required: false,
          type: {
            type: 'struct',
            fields: [
              { id: 2, name: 'x', required: true, type: 'int', 'write-default': 3 },
              { id: 3, name: 'y', required: false, type: 'string' },
            ],
          },
        },
      ],
    }).fields[0]?.type as RecordColumn['type'];
    const columns: readonly RecordColumn[] = [
      { name: 'id', type: { kind: 'long' }, required: true, path: ['id'], time: 'iso' },
      { name: 's', type: { kind: 'string' }, required: false, path: ['s'], time: 'iso', absent: "'none'" },
      { name: 'r', type: { kind: 'int' }, required: true, path: ['r'], time: 'iso', absent: '7::INTEGER' },
      { name: 'o', type: struct, required: false, path: ['o'], time: 'iso' },
    ];
    const lines = [
      '{"id":1,"s":"x","r":1,"o":{"x":1,"y":"z"}}',
      '{"id":2,"s":null,"r":2,"o":null}',
      '{"id":3,"r":3,"o":{"y":"z"}}',
      '{"id":4,"o":{}}',
      '{"id":5,"s":"x","r":null}',
      '{"id":6,"o":{"x":null}}',
    ];
    const text = `${lines.join('\n')}\n`.repeat(2);
    const { found, expected } = await both(text, { columns, allowsExtra: false });
    const rows = [
      ['1', 'x', '1', "{'x': 1, 'y': z}"],
      ['2', null, '2', null],
      ['3', 'none', '3', "{'x': 3, 'y': z}"],
      ['4', 'none', '7', "{'x': 3, 'y': NULL}"],
    ];
    expect((found.rows as unknown[])[1]).toEqual([...rows, ...rows]);
    expect(found.bad).toEqual([
      { line: 4, problem: 'MISSING_REQUIRED', column: 'r' },
      { line: 5, problem: 'VALUE_MISFIT', column: 'o' },
      { line: 10, problem: 'MISSING_REQUIRED', column: 'r' },
      { line: 11, problem: 'VALUE_MISFIT', column: 'o' },
    ]);
    expect(found).toEqual(expected);
  });

  it('are not left to judging for a column that has a value where records lack its key', async () => {
    const column = (name: string, path: readonly string[], required: boolean, absent?: string): RecordColumn => {
      const type = { kind: 'decimal', precision: 5, scale: 2 } as const;
      return {
        name,
        type,
        required,
        path,
        time: 'iso',
        ...(absent === undefined ? {} : { absent: `${absent}::DECIMAL(5, 2)` }),
      };
    };
    const columns = [
      column('id', ['id'], true),
      column('r', ['r'], true, '7'),
      column('o', ['O'], false, '8.5'),
      column('x', ['in', 'x'], true, '9'),
      column('y', ['at', 'y'], false, '10'),
      column('z', ['at', 'z'], false),
    ];
    const lines = [
      ...Array.from({ length: 70 }, (_, id) => `{"id":${id}}`),
      '{"id":70,"r":1,"O":null,"in":{"x":2},"at":{"y":null,"z":3}}',
      '{"id":71,"in":{},"at":null}',
      '{"id":72,"r":null}',
      '{"id":73,"o":1}',
    ];
    const options = { columns, allowsExtra: false };
    const split = plainRecords(Buffer.from(lines.join('\n')), options);
    expect([split?.count, split?.otherLines.length]).toEqual([70, 4]);
    const { found, expected } = await both(lines.join('\n'), options);
    expect((found.rows as unknown[][])[1]?.slice(69)).toEqual([
      ['69.00', '7.00', '8.50', '9.00', '10.00', null],
      ['70.00', '1.00', null, '2.00', null, '3.00'],
      ['71.00', '7.00', '8.50', '9.00', '10.00', null],
    ]);
    expect(found.bad).toEqual([
      { line: 72, problem: 'MISSING_REQUIRED', column: 'r' },
      { line: 73, problem: 'EXTRA_FIELD', column: null },
    ]);
    expect(found).toEqual(expected);
    // An object that is null has no such key.
    const some = columns.filter(({ name }) => name === 'id' || name === 'y');
    const nulls = await both('{"id":1,"at":null}\n'.repeat(3), { columns: some, allowsExtra: false });
    expect((nulls.found.rows as unknown[][])[1]?.[0]).toEqual(['1.00', '10.00']);
    expect(nulls.found).toEqual(nulls.expected);
  });

  it('name a field that no column takes however deep its value is, where nulls are allowed', async () => {
    const columns = columnsOf(new Set()).filter(({ name }) => name === 'id');
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    const lines = [
      '{"id":1,"x":null,"y\\"":null}',
      `{"id":2,"x":${deep}}`,
      '{"id":3,"x":"null"}',
      '{"id":4,"x":{"a":null}}',
    ];
    await engine.withConnection(async (connection) => {
      const path = join(connection.tempDirectory, `${randomUUID()}.jsonl`);
      writeFileSync(path, lines.join('\n'));
      const options = { columns, allowsExtra: false, allowsNulls: true };
      const { rows, bad } = await loadJsonRecords(connection, path, 'deep_records', options);
      expect(rows).toBe(1n);
      expect(bad).toEqual([1, 2, 3].map((line) => ({ line, problem: 'EXTRA_FIELD', column: null })));
    });
  });

  it('are left to judging where a table has nothing that a text tells, and where lines are longer than a text may be', async () => {
    const columns = columnsOf(new Set(['f'])).filter(({ name }) => name === 'f' || name === 's');
    const text = Buffer.from('{"f":1.5,"s":"x"}\n'.repeat(200));
    expect(plainRecords(text, { columns, allowsExtra: false })).toBeNull();
    const optional = columnsOf(new Set()).filter(({ name }) => name === 's');
    const long = `{"s":"${'é'.repeat(40_000)}"}\n`;
    const mixed = Buffer.from(`${'{"s":"x"}\n'.repeat(10)}${long}`);
    const split = plainRecords(mixed, { columns: optional, allowsExtra: false });
    expect([split?.count, split?.otherLines]).toEqual([10, [{ line: 10, rowsBefore: 10 }]]);
    const { found, expected } = await both(mixed.toString(), { columns: optional, allowsExtra: false });
    expect(found).toEqual(expected);
  });
});
