/** Records of JSON Lines: good ones become rows beside bad ones, by the rules by which a whole file is read. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exactRows, FILE_AND_TABLE } from '../../../client/input-columns.js';
import { type Engine, quoteIdentifier, readInput } from '../../../engine/index.js';
import { isMoraineError } from '../../../errors/index.js';
import { type JsonValue, parseSchema, type Schema } from '../../../iceberg/index.js';
import { jsonRecords, type RecordMapping } from '../../../sink/files/json-records.js';
import { failureOf } from '../../support/error-code.js';
import { runs, seed, timeLimit } from '../../support/property-runs.js';
import { openSinkEngine } from '../../support/sink-world.js';
import { Random } from '../../worlds/random.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

function schemaOf(columns: Readonly<Record<string, JsonValue>>): Schema {
  let id = 0;
  const fields = Object.entries(columns).map(([name, type]): JsonValue => {
    id += 1;
    return { id: id + 100 * id, name: name.replace('!', ''), required: name.endsWith('!'), type };
  });
  return parseSchema({ type: 'struct', 'schema-id': 0, fields });
}

/** Rows as texts, and what was rejected: reason, message and offset. */
async function read(text: string | Buffer, schema: Schema, mapping: RecordMapping = {}, from = 0n) {
  const bytes = Buffer.from(text);
  const lines = { bytes, count: bytes.filter((byte) => byte === 10).length, source: 'a.ndjson', partition: 'p', from };
  return await engine.withConnection(async (connection) => {
    const opened = await jsonRecords(lines, { badRecords: 'drop', ...mapping }).open(connection, schema);
    const columns = schema.fields.map(({ name }) => `${quoteIdentifier(name)}::VARCHAR`).join(', ');
    const rows = await connection.rows(`SELECT ${columns} FROM (${opened.sql})`);
    expect(BigInt(rows.length)).toBe(opened.rows);
    await opened.close();
    expect(await connection.rows("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'sink_%'")).toEqual([
      [0n],
    ]);
    return {
      rows,
      rejected: opened.rejected.map(({ reason, message, position }) => [reason, message, position?.offset]),
    };
  });
}

const READINGS = schemaOf({
  'id!': 'long',
  device: 'string',
  at: 'timestamptz',
  value: 'double',
  tags: { type: 'list', 'element-id': 900, element: 'int', 'element-required': false },
});

describe('what only looks like JSON', () => {
  it.each([
    '{"id":1,}',
    '{"id":1,"tags":[1,]}',
    '{"id":1,"value":NaN}',
    '{"id":1,"value": -Infinity}',
    '{"id":1,"value":inf}',
  ])('%s is no record, though the query engine takes it for one', async (record) => {
    const text = `{"id":0}\n${record}\n{"id":2,"device":",} ,NaN :inf"}\n`;
    const { rows, rejected } = await read(text, READINGS);
    expect(rows.map(([id, device]) => [id, device])).toEqual([
      ['0', null],
      ['2', ',} ,NaN :inf'],
    ]);
    expect(rejected).toEqual([['MALFORMED_JSON', `a.ndjson, byte 9: ${record} is not JSON`, 9n]]);
    const made = await read(`x\n`, READINGS, { transform: () => record });
    expect(made.rejected).toEqual([['MALFORMED_JSON', `a.ndjson, byte 0: ${record} is not JSON`, 0n]]);
  });

  it('other fields that are kept as JSON have all their digits', async () => {
    const rest = [
      '{"q":0.12345678901234567890123,"n":{"a":3.14159265358979323846,"b":[12345678901234567890123,-1e-400,true]}}',
      '{"text":"1.2345678901234567890 \\"3.14159265358979323846\\" 5","q":1.0000000000000000000000001}',
      '{"u":1e400}',
      '{"w":1.5,"s":"\\u0001"}',
    ];
    const text = rest.map((fields, id) => `{"id":${id},${fields.slice(1)}\n`).join('');
    const { rows, rejected } = await read(text, schemaOf({ id: 'long', rest: 'string' }), { rest: 'rest' });
    expect(rejected).toEqual([]);
    expect(rows).toEqual(rest.map((fields, id) => [String(id), fields]));
  });

  it('a decimal with an exponent may have more digits before it than its column', async () => {
    const records = ['421860570E-1', '-592018446e-1', '4.2186057e7', '421860575e-3', '99999999999e-1'];
    const text = records.map((number) => `{"d":${number}}\n`).join('');
    const { rows, rejected } = await read(text, schemaOf({ d: 'decimal(10, 2)' }));
    expect(rows).toEqual([['42186057.00'], ['-59201844.60'], ['42186057.00']]);
    expect(rejected.map(([reason]) => reason)).toEqual(['OUT_OF_RANGE', 'OUT_OF_RANGE']);
  });

  it('a number below the smallest double is not zero', async () => {
    const schema = schemaOf({ id: 'long', n: 'int', d: 'decimal(9, 2)', f: 'float' });
    const numbers = ['1e-400', '-1E-400', '0e-400', '0.0E5'];
    const records = ['id', 'n', 'd', 'f'].flatMap((column) => numbers.map((number) => `{"${column}":${number}}\n`));
    const { rows, rejected } = await read(records.join(''), schema);
    expect(rows).toEqual([
      ['0', null, null, null],
      ['0', null, null, null],
      [null, '0', null, null],
      [null, '0', null, null],
      [null, null, '0.00', null],
      [null, null, '0.00', null],
      [null, null, null, '0.0'],
      [null, null, null, '-0.0'],
      [null, null, null, '0.0'],
      [null, null, null, '0.0'],
    ]);
    expect(rejected.map(([reason]) => reason)).toEqual(Array.from({ length: 6 }, () => 'OUT_OF_RANGE'));
  });
});

describe('a function', () => {
  it('makes a record of each line, leaves it out, or fails for it; what is kept is the record as it came', async () => {
    const seen: string[] = [];
    const transform = (record: Uint8Array) => {
      const text = Buffer.from(record).toString();
      seen.push(text);
      if (text === 'skip') return null;
      if (text === 'fail') throw new Error('no such device');
      if (text === 'bytes') return Buffer.of(0xff);
      const [id = '', device = ''] = text.split(';');
      return `{\n "id": ${id},\n "device": ${JSON.stringify(device)} }`;
    };
    const text = '1;a\nskip\n\nfail\n2;é\nbytes\nx;b\n1.5;c\n';
    const { rows, rejected } = await read(text, READINGS, { transform });
    expect(rows).toEqual([
      ['1', 'a', null, null, null],
      ['2', 'é', null, null, null],
    ]);
    expect(seen).toEqual(['1;a', 'skip', 'fail', '2;é', 'bytes', 'x;b', '1.5;c']);
    expect(rejected).toEqual([
      ['TRANSFORM_FAILED', 'a.ndjson, byte 10: the function that transforms it failed: no such device', 10n],
      ['INVALID_UTF8', 'a.ndjson, byte 20: it is not UTF-8 text', 20n],
      ['MALFORMED_JSON', 'a.ndjson, byte 26: {  "id": x,  "device": "b" } is not JSON', 26n],
      ['OUT_OF_RANGE', 'a.ndjson, byte 30: column "id": 1.5 does not fit long exactly', 30n],
    ]);
  });
});

describe('a bad record', () => {
  it.each<[string, string | Buffer, string, string]>([
    ['no JSON', '{"id": 1', 'MALFORMED_JSON', '{"id": 1 is not JSON'],
    ['a text that does not end', '{"id": 1, "device": "x}', 'MALFORMED_JSON', '{"id": 1, "device": "x} is not JSON'],
    [
      'half a surrogate',
      '{"id": 1, "device": "\\ud800"}',
      'MALFORMED_JSON',
      '{"id": 1, "device": "\\ud800"} is not JSON',
    ],
    ['no UTF-8', Buffer.of(0x7b, 0xff, 0x7d), 'INVALID_UTF8', 'it is not UTF-8 text'],
    ['an array', '[1]', 'NOT_AN_OBJECT', '[1] is no JSON object'],
    ['a number', '5', 'NOT_AN_OBJECT', '5 is no JSON object'],
    ['null', 'null', 'NOT_AN_OBJECT', 'null is no JSON object'],
    ['a field twice', '{"id": 1, "id": 2}', 'DUPLICATE_FIELD', 'a field occurs twice'],
    ['another field', '{"id": 1, "ID": 2, "__proto__": 3}', 'EXTRA_FIELD', 'no column takes "ID", "__proto__"'],
    ['no required value', '{"device": "x"}', 'MISSING_REQUIRED', 'column "id" is required, and has no value'],
    ['null where a value is required', '{"id": null}', 'MISSING_REQUIRED', 'column "id" is required, and has no value'],
    ['a fraction for an integer', '{"id": 1.5}', 'OUT_OF_RANGE', 'column "id": 1.5 does not fit long exactly'],
    [
      'a number out of range',
      '{"id": 9223372036854775808}',
      'OUT_OF_RANGE',
      'column "id": 9223372036854775808 does not fit long exactly',
    ],
    ['text for a number', '{"id": "x"}', 'WRONG_TYPE', 'column "id": "x" does not fit long exactly'],
    ['a number for text', '{"id": 1, "device": 7}', 'WRONG_TYPE', 'column "device": 7 does not fit string exactly'],
    [
      'a truth value for a number',
      '{"id": 1, "value": true}',
      'WRONG_TYPE',
      'column "value": true does not fit double exactly',
    ],
    [
      'a day that is none',
      '{"id": 1, "at": "2026-02-30T00:00:00Z"}',
      'INVALID_TIME',
      'column "at": "2026-02-30T00:00:00Z" does not fit timestamptz exactly',
    ],
    [
      'nanoseconds',
      '{"id": 1, "at": "2026-02-03T00:00:00.000000001Z"}',
      'INVALID_TIME',
      'column "at": "2026-02-03T00:00:00.000000001Z" does not fit timestamptz exactly',
    ],
    [
      'a wrong element',
      '{"id": 1, "tags": [1, 2.5]}',
      'WRONG_TYPE',
      'column "tags": [1,2.5] does not fit list<int> exactly',
    ],
  ])('with %s leaves its neighbours alone, and is named', async (_, record, reason, message) => {
    const good = (id: number) => Buffer.from(`{"id": ${id}, "device": "dé"}\n`);
    const text = Buffer.concat([good(1), Buffer.from(record), Buffer.from('\n'), good(3)]);
    const offset = 100n + BigInt(good(1).length);
    const { rows, rejected } = await read(text, READINGS, {}, 100n);
    expect(rows.map(([id, device]) => [id, device])).toEqual([
      ['1', 'dé'],
      ['3', 'dé'],
    ]);
    expect(rejected).toEqual([[reason, `a.ndjson, byte ${offset}: ${message}`, offset]]);
    const failure = await failureOf(read(text, READINGS, { badRecords: 'fail' }, 100n));
    expect(failure.message).toBe(`a.ndjson, byte ${offset}: ${message}.`);
    expect(failure.details).toEqual({ reason, offset: String(offset) });
  });

  it('is kept as it came', async () => {
    const bytes = Buffer.concat([Buffer.from('{"id":1}\n'), Buffer.of(0xff, 0x0a), Buffer.from('{"id":"é"}')]);
    const lines = { bytes, count: 3, source: 'a', partition: 'p', from: 7n };
    await engine.withConnection(async (connection) => {
      const opened = await jsonRecords(lines, { badRecords: 'drop' }).open(connection, READINGS);
      expect(opened.rejected.map(({ raw, position }) => [Buffer.from(raw), position])).toEqual([
        [Buffer.of(0xff), { partition: 'p', offset: 16n }],
        [Buffer.from('{"id":"é"}'), { partition: 'p', offset: 18n }],
      ]);
      await opened.close();
    });
  });
});

describe('a record', () => {
  it('may have empty lines, spaces, carriage returns and a byte order mark around it', async () => {
    const { rows, rejected } = await read('\ufeff{"id":1}\r\n\r\n \t\n  {"id": 2} \n{"id":3}', READINGS);
    expect([rows.map(([id]) => id), rejected]).toEqual([['1', '2', '3'], []]);
  });

  it('has no byte order mark, whatever becomes of it, where its source begins with one', async () => {
    const text = '\ufeff{"id":"x"}\n{"id":1}\n';
    const { rows, rejected } = await read(text, schemaOf({ id: 'long', raw: 'string', error: 'string' }), {
      ...{ raw: 'raw', error: 'error', badRecords: undefined },
    });
    expect([rows, rejected]).toEqual([
      [
        ['1', '{"id":1}', null],
        [null, '{"id":"x"}', 'WRONG_TYPE: a.ndjson, byte 3: column "id": "x" does not fit long exactly'],
      ],
      [],
    ]);
    const seen: string[] = [];
    const transform = (record: Uint8Array) => {
      seen.push(Buffer.from(record).toString());
      return JSON.stringify({ id: (JSON.parse(seen.at(-1) ?? '') as { id: unknown }).id === 'x' ? 7 : 8 });
    };
    const made = await read(text, schemaOf({ id: 'long', raw: 'string' }), { transform, raw: 'raw' });
    expect([made.rows, made.rejected]).toEqual([
      [
        ['7', '{"id":"x"}'],
        ['8', '{"id":1}'],
      ],
      [],
    ]);
    expect(seen).toEqual(['{"id":"x"}', '{"id":1}']);
    const later = await read(text, READINGS, {}, 8n);
    expect(later.rejected.map(([reason, , offset]) => [reason, offset])).toEqual([['MALFORMED_JSON', 8n]]);
  });

  it('has its columns at declared paths, points in time as numbers, and the rest as JSON', async () => {
    const schema = schemaOf({
      'device_id!': 'string',
      at: 'timestamptz',
      seen: 'timestamp',
      day: 'timestamp_ns',
      rest: 'string',
    });
    const mapping = {
      fields: { device_id: 'uplink.device.id', at: 'uplink.at', day: 's' },
      times: { at: 'epoch_ms', seen: 'epoch_us', day: 'epoch_s' },
      rest: 'rest',
    } as const;
    const record = (uplink: unknown, more: object = {}) => `${JSON.stringify({ uplink, ...more })}\n`;
    const { rows, rejected } = await read(
      record({ device: { id: 'a' }, at: -1 }, { seen: 1_500_000_000_123_456, s: 86_400, 'x/~y': { z: null }, n: 1.5 }) +
        record({ device: { id: 'b' }, at: 1_767_225_600_123 }) +
        record({ device: 5 }) +
        record(7) +
        record({ device: { id: 'c' }, at: 1.5 }) +
        record({ device: { id: 'd' }, at: '2026-01-01T00:00:00Z' }) +
        record({ device: { id: 'e' } }, { s: 99_999_999_999_999 }),
      schema,
      mapping,
    );
    expect(rows).toEqual([
      [
        'a',
        '1969-12-31 23:59:59.999+00',
        '2017-07-14 02:40:00.123456',
        '1970-01-02 00:00:00',
        '{"x/~y":{"z":null},"n":1.5}',
      ],
      ['b', '2026-01-01 00:00:00.123+00', null, null, null],
    ]);
    expect(rejected.map(([reason]) => reason)).toEqual([
      'WRONG_TYPE',
      'WRONG_TYPE',
      'INVALID_TIME',
      'INVALID_TIME',
      'INVALID_TIME',
    ]);
  });

  it('may have columns named like what every object has', async () => {
    const schema = schemaOf({ constructor: 'long', toString: 'string', __proto__x: 'string' });
    const { rows, rejected } = await read('{"constructor": 1, "toString": "x"}\n{"constructor": "y"}\n{}\n', schema);
    expect(rows).toEqual([
      ['1', 'x', null],
      [null, null, null],
    ]);
    expect(rejected).toEqual([
      ['WRONG_TYPE', 'a.ndjson, byte 36: column "constructor": "y" does not fit long exactly', 36n],
    ]);
  });

  it('may have fields that no column takes', async () => {
    const { rows, rejected } = await read('{"id": 1, "other": {"a": [1]}}\n', READINGS, { extraFields: 'ignore' });
    expect([rows.length, rejected]).toEqual([1, []]);
  });

  it.each<[RecordMapping, string, string]>([
    [
      { fields: { nope: 'a' } },
      'COLUMN_NOT_FOUND',
      'The table has no column "nope"; it has id, device, at, value, tags.',
    ],
    [{ rest: 'id' }, 'TYPE_MISMATCH', 'The column "id" is to have the other fields as JSON; it must be a string.'],
    [{ times: { device: 'epoch_ms' } }, 'TYPE_MISMATCH', 'The column "device" has no points in time.'],
    [
      { fields: { device: 'ID' } },
      'INVALID_ARGUMENT',
      'Fields that differ by letter case only cannot be told apart: map columns to other fields.',
    ],
  ])('is not read by the mapping %j', async (mapping, code, message) => {
    expect(await failureOf(read('{"id": 1}\n', READINGS, mapping))).toMatchObject({ code, message });
  });
});

describe('fields beside a path', () => {
  const DEVICES = schemaOf({ device_id: 'string', battery: 'long', rest: 'string' });
  const PATHS = { device_id: 'uplink.device.id', battery: 'uplink.values.battery' };

  it('are kept as JSON in the objects that they are in', async () => {
    const records: readonly (readonly [record: string, id: string | null, rest: string | null])[] = [
      [
        '{"uplink":{"device":{"id":"a","fw":2},"rssi":-3}}',
        'a',
        // Not in the order of the record.
        '{"uplink":{"device":{"fw":2},"rssi":-3}}',
      ],
      ['{"uplink":{"device":{"id":"b"},"values":{"battery":1}}}', 'b', null],
      [
        '{"uplink":{"device":{"id":"c","x":null,"\\"/~":{}},"values":{}},"n":12345678901234567890.5,"e😀e\u0301":"é"}',
        'c',
        '{"uplink":{"device":{"x":null,"\\"/~":{}}},"n":12345678901234567890.5,"e😀e\u0301":"é"}',
      ],
      [
        '{"uplink":{"values":{"battery":9007199254740993,"v":0.10000000000000000555}}}',
        null,
        '{"uplink":{"values":{"v":0.10000000000000000555}}}',
      ],
      ['{"uplink":null,"a":[1]}', null, '{"a":[1]}'],
      ['{"uplink":{"device":null,"a":{}}}', null, '{"uplink":{"a":{}}}'],
      ['{"uplink":{}}', null, null],
      ['{}', null, null],
    ];
    const text = records.map(([record]) => `${record}\n`).join('');
    const { rows, rejected } = await read(text, DEVICES, { fields: PATHS, rest: 'rest' });
    expect(rejected).toEqual([]);
    expect(rows.map(([id, , rest]) => [id, rest])).toEqual(records.map(([, id, rest]) => [id, rest]));
  });

  it('are extra fields, unless they may be there', async () => {
    const { fields } = DEVICES;
    const schema = { ...DEVICES, fields: fields.filter(({ name }) => name !== 'rest') };
    const text =
      '{"uplink":{"device":{"id":"a","fw":2},"rssi":-3,"values":{"battery":1}},"n":1}\n' +
      '{"uplink":{"device":{"id":"b"},"values":{"battery":1}}}\n' +
      '{"uplink":{"device":{"id":"c","id":"d"}}}\n';
    const failed = await read(text, schema, { fields: PATHS });
    expect(failed.rows).toEqual([['b', '1']]);
    expect(failed.rejected.map(([reason, message]) => [reason, message])).toEqual([
      ['EXTRA_FIELD', 'a.ndjson, byte 0: no column takes "n", "uplink.rssi", "uplink.device.fw"'],
      ['DUPLICATE_FIELD', 'a.ndjson, byte 135: a field occurs twice'],
    ]);
    const ignored = await read(text, schema, { fields: PATHS, extraFields: 'ignore' });
    expect(ignored.rows).toEqual([
      ['a', '1'],
      ['b', '1'],
    ]);
  });

  it('are those of a column that has the whole object', async () => {
    const point = { type: 'struct', fields: [{ id: 900, name: 'x', required: false, type: 'long' }] };
    const { rows, rejected } = await read(
      '{"at":{"x":1}}\n{"at":{"x":2,"y":3}}\n',
      schemaOf({ at: point, x: 'long' }),
      { fields: { x: 'at.x' } },
    );
    expect(rows).toEqual([["{'x': 1}", '1']]);
    expect(rejected.map(([reason]) => reason)).toEqual(['WRONG_TYPE']);
  });

  it.each([
    ['{"uplink":"oops"}', '"oops" at uplink is no object'],
    ['{"uplink":{"device":[{"id":"a"}]}}', '[{"id":"a"}] at uplink.device is no object'],
    ['{"uplink":{"device":false},"n":1}', 'false at uplink.device is no object'],
  ])('have to be in an object: %s', async (record, message) => {
    for (const mapping of [{ rest: 'rest' }, { extraFields: 'ignore' } as const]) {
      const { rows, rejected } = await read(`${record}\n`, DEVICES, { fields: PATHS, ...mapping });
      expect(rows).toEqual([]);
      expect(rejected).toEqual([['WRONG_TYPE', `a.ndjson, byte 0: column "device_id": ${message}`, 0n]]);
    }
  });

  it('are what a walk through the record finds', { timeout: timeLimit(60_000) }, async () => {
    type Json = JsonValue | undefined;
    type Fields = { readonly [key: string]: JsonValue };
    const isObject = (value: Json): value is Fields =>
      typeof value === 'object' && value !== null && !Array.isArray(value);
    const beside = (object: Fields, paths: readonly (readonly string[])[]): Fields =>
      Object.fromEntries(
        Object.entries(object).flatMap(([key, value]): [string, JsonValue][] => {
          const inner = paths.filter(([head]) => head === key).map((path) => path.slice(1));
          if (inner.length === 0) return [[key, value]];
          if (inner.some((path) => path.length === 0) || !isObject(value)) return [];
          const left = beside(value, inner);
          return Object.keys(left).length === 0 ? [] : [[key, left]];
        }),
      );
    const random = new Random(`beside/${seed ?? 1}`);
    const some = (chance: number) => random.int(1, 10) <= chance;
    const objectOf = (depth: number): JsonValue & object =>
      Object.fromEntries(
        random.shuffle(['a', 'b', 'c', '/~', 'é']).flatMap((key): [string, JsonValue][] => {
          if (some(5)) return [];
          if (depth < 3 && (key === 'a' || key === 'b')) return [[key, some(1) ? null : objectOf(depth + 1)]];
          // What columns take is text.
          const isText = depth > 0 && (key === 'c' || key === '/~');
          return [[key, isText ? 'text' : random.pick<JsonValue>([1.5, null, 'x', [{ c: 1 }], {}])]];
        }),
      );
    const fields = { p: 'a.b.c', q: 'a.c', r: 'b./~', s: 'a.a.a.c' };
    const paths = Object.values(fields).map((path) => path.split('.'));
    const records = Array.from({ length: runs(300) }, () => objectOf(0) as Fields);
    const texts = records.map((record) => `${JSON.stringify(record)}\n`).join('');
    const schema = schemaOf({ p: 'string', q: 'string', r: 'string', s: 'string', rest: 'string' });
    const kept = await read(texts, schema, { fields, rest: 'rest' });
    expect(kept.rejected).toEqual([]);
    const left = records.map((record) => beside(record, paths));
    expect(kept.rows.map((row) => JSON.parse(String(row[4] ?? '{}')) as unknown)).toEqual(left);
    expect(kept.rows.every((row) => row[4] !== '{}')).toBe(true);
    const { fields: columns } = schema;
    const strict = await read(texts, { ...schema, fields: columns.slice(0, 4) }, { fields });
    expect(strict.rows.length).toBe(left.filter((each) => Object.keys(each).length === 0).length);
    expect(new Set(strict.rejected.map(([reason]) => reason))).toEqual(new Set(['EXTRA_FIELD']));
  });

  it('are an empty object of none where a value is required, of records of either kind', async () => {
    const text = '{"id":1}\n{"id":2.0}\n{"id":3,"x":null}\n{"rest":"{}"}\n';
    const { rows, rejected } = await read(text, schemaOf({ 'id!': 'long', 'rest!': 'string' }), { rest: 'rest' });
    expect(rows).toEqual([
      ['1', '{}'],
      ['2', '{}'],
      ['3', '{"x":null}'],
    ]);
    expect(rejected.map(([reason]) => reason)).toEqual(['MISSING_REQUIRED']);
  });
});

describe('a record as it came', () => {
  const KEPT = schemaOf({ id: 'long', device: 'string', raw: 'string', error: 'string' });
  const BYTES = schemaOf({ id: 'long', raw: 'binary' });

  it('is kept beside its row, in the order of the records, whether it is a row by its text or was judged', async () => {
    const lines = [
      '{"id":1,"device":"a"}',
      '{"id": 2.0}',
      '',
      '{"id":3}',
      '[]',
      '{"id":true}',
      '{"id":5,"device":"\\u00e9"}',
      '{"id":6}\r',
    ];
    const { rows, rejected } = await read(`${lines.join('\n')}\n`, KEPT, { raw: 'raw' });
    expect(rows).toEqual([
      ['1', 'a', lines[0], null],
      ['2', null, lines[1], null],
      ['3', null, lines[3], null],
      ['5', 'é', lines[6], null],
      ['6', null, lines[7], null],
    ]);
    expect(rejected.map(([reason]) => reason)).toEqual(['NOT_AN_OBJECT', 'WRONG_TYPE']);
  });

  it('is kept in the order of very many records', async () => {
    const lines = Array.from({ length: 20_000 }, (_, id) => (id % 1_000 === 7 ? `{"id":${id}.0}` : `{"id":${id}}`));
    const { rows } = await read(`${lines.join('\n')}\n`, schemaOf({ id: 'long', raw: 'string' }), { raw: 'raw' });
    expect(rows).toEqual(lines.map((line, id) => [String(id), line]));
  });

  it('is what was given to a function, byte for byte', async () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0x01, 0x0a]), Buffer.from('skip\n'), Buffer.from([0x02, 0x0a])]);
    const transform = (record: Uint8Array) => (record[0] === 0x73 ? null : `{"id":${record.at(-1) ?? 0}}`);
    const { rows } = await read(bytes, BYTES, { raw: 'raw', transform });
    expect(rows).toEqual([
      ['1', String.raw`\xFF\x01`],
      ['2', String.raw`\x02`],
    ]);
    const texts = await read(bytes, KEPT, { raw: 'raw', transform });
    expect(texts.rows.map((row) => row[2])).toEqual(['\ufffd\u0001', '\u0002']);
  });

  it('is a row with what is wrong with it and nothing else, if there is a column for that', async () => {
    const lines = ['{"id":1}', '{"id":', '{"id":2,"device":5}', '{"id":3}'];
    const text = `${lines.join('\n')}\n`;
    // By default the reading would stop.
    const { rows, rejected } = await read(text, KEPT, { raw: 'raw', error: 'error', badRecords: undefined });
    expect(rejected).toEqual([]);
    expect(rows).toEqual([
      ['1', null, lines[0], null],
      ['3', null, lines[3], null],
      [null, null, lines[1], 'MALFORMED_JSON: a.ndjson, byte 9: {"id": is not JSON'],
      [null, null, lines[2], 'WRONG_TYPE: a.ndjson, byte 16: column "device": 5 does not fit string exactly'],
    ]);
    const none = await read('{"id":\n', KEPT, { raw: 'raw', error: 'error', badRecords: undefined });
    expect(none.rows.map((row) => row[2])).toEqual(['{"id":']);
  });

  it('has its columns to itself: a field of their name is one that no column takes', async () => {
    const { rows, rejected } = await read('{"id":1,"raw":"x"}\n{"id":2}\n', KEPT, { raw: 'raw' });
    expect([rows.map(([id]) => id), rejected.map(([reason]) => reason)]).toEqual([['2'], ['EXTRA_FIELD']]);
  });

  it.each<[Schema, RecordMapping, string]>([
    [KEPT, { raw: 'nope' }, 'COLUMN_NOT_FOUND'],
    [KEPT, { raw: 'id' }, 'TYPE_MISMATCH'],
    [KEPT, { raw: 'raw', error: 'id', badRecords: undefined }, 'TYPE_MISMATCH'],
    [KEPT, { raw: 'raw', error: 'raw', badRecords: undefined }, 'INVALID_ARGUMENT'],
    [KEPT, { raw: 'raw', fields: { raw: 'a' } }, 'INVALID_ARGUMENT'],
    [KEPT, { raw: 'raw', rest: 'raw' }, 'INVALID_ARGUMENT'],
    [KEPT, { error: 'error', badRecords: undefined }, 'INVALID_ARGUMENT'],
    [KEPT, { raw: 'raw', error: 'error', badRecords: 'drop' }, 'INVALID_ARGUMENT'],
    [
      schemaOf({ 'id!': 'long', raw: 'string', error: 'string' }),
      { raw: 'raw', error: 'error', badRecords: undefined },
      'INVALID_ARGUMENT',
    ],
  ])('is not kept by a mapping that does not go with the table (%#)', async (schema, mapping, code) => {
    expect(await failureOf(read('{"id": 1}\n', schema, mapping))).toMatchObject({ code });
  });
});

describe('random records', () => {
  const TYPES = {
    l: 'long',
    i: 'int',
    f: 'float',
    d: 'double',
    c: 'decimal(20, 3)',
    b: 'boolean',
    s: 'string',
    u: 'uuid',
    t: 'timestamptz',
    n: 'timestamp_ns',
    y: 'date',
    x: 'binary',
    a: { type: 'list', 'element-id': 900, element: 'double', 'element-required': false },
    o: {
      type: 'struct',
      fields: [
        { id: 901, name: 'k', required: true, type: 'long' },
        { id: 902, name: 'v', required: false, type: 'string' },
      ],
    },
  };
  const schema = schemaOf(TYPES);
  const VALUES = [
    '0',
    '-0',
    '-0.0',
    '1',
    '-1',
    '1.0',
    '1.5',
    '1e3',
    '1e400',
    '2147483648',
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
    '18446744073709551616',
    '0.1',
    '0.10000000000000000555',
    '12345678901234567.125',
    '123456789.1234',
    '1e-7',
    'true',
    'false',
    'null',
    '"x"',
    '""',
    '"1"',
    '"1.50"',
    '"true"',
    '"é😀"',
    '"\\u0000"',
    '"\\ud83d\\ude00"',
    '"2026-01-02T03:04:05Z"',
    '"2026-01-02T03:04:05.123456789"',
    '"2026-01-02"',
    '"1969-12-31 23:59:59.999999+01"',
    '"2026-13-01"',
    '"ffff"',
    '"fff"',
    '"NaN"',
    '"Infinity"',
    '"00000000-0000-0000-0000-00000000000A"',
    '[]',
    '[1,null,2.5]',
    '[0.1,9007199254740993]',
    '["x"]',
    '{}',
    '{"k":1}',
    '{"k":9007199254740993,"v":"1"}',
    '{"k":1,"v":2}',
    '{"k":1,"z":2}',
    '{"k":1.5}',
  ];

  /** What reading the record as a file of its own gives: its values as texts, or null for a refusal. */
  async function alone(record: string): Promise<unknown[] | null> {
    return await engine.withConnection(async (connection) => {
      const path = join(connection.tempDirectory, `${randomUUID()}.jsonl`);
      writeFileSync(path, `${record}\n`);
      try {
        const types = new Map(schema.fields.map(({ name, type }) => [name, type]));
        const rows = await exactRows(connection, await readInput(connection, path, { types }), schema, FILE_AND_TABLE);
        const names = schema.fields.map((_, index) => `c${index}`);
        const texts = names.map((name) => `${name}::VARCHAR`).join(', ');
        const [found] = await connection.rows(`SELECT ${texts} FROM (${rows}) AS t(${names.join(', ')})`);
        return found ?? null;
      } catch (error) {
        if (isMoraineError(error, 'TYPE_MISMATCH', 'INPUT_UNREADABLE')) return null;
        throw error;
      }
    });
  }

  it('are judged together as each is alone', { timeout: timeLimit(30_000) }, async () => {
    const random = new Random(`json-records/${seed ?? 1}`);
    const names = Object.keys(TYPES);
    const records = Array.from({ length: runs(300) }, () => {
      const chosen = random.shuffle([...names]).slice(0, random.pick([1, 1, 2]));
      return `{${chosen.map((name) => `${JSON.stringify(name)}: ${random.pick(VALUES)}`).join(', ')}}`;
    });
    const { rows, rejected } = await read(`${records.join('\n')}\n`, schema);
    const expected: (unknown[] | null)[] = [];
    for (const record of records) expected.push(await alone(record));
    const offsets = new Set(rejected.map(([, , offset]) => Number(offset)));
    let offset = 0;
    const found = records.map((record) => {
      const isBad = offsets.has(offset);
      offset += Buffer.byteLength(record) + 1;
      return isBad ? null : rows.shift();
    });
    const differences = records.flatMap((record, index) =>
      // A file with such a decimal is refused as a whole; here its digits are kept.
      JSON.stringify(found[index]) === JSON.stringify(expected[index]) || record.includes('"c": 12345678901234567.125')
        ? []
        : [[record, found[index], expected[index]]],
    );
    expect(differences).toEqual([]);
    expect([offsets.size > 50, expected.filter((row) => row !== null).length > 25]).toEqual([true, true]);
  });
});
