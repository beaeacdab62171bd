import { readFileSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { isMoraineError } from '../../../errors/index.js';
import { sanitizeAvroName, uniqueAvroNames } from '../../../iceberg/avro/avro-node.js';
import { readAvroFile, readAvroHeader, writeAvroFile } from '../../../iceberg/avro/container.js';

const MAGIC = [0x4f, 0x62, 0x6a, 0x01];
const SYNC = Array.from({ length: 16 }, (_, i) => i);

/** Zigzag varint, straight from the Avro specification. */
function long(value: bigint): number[] {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  do {
    const more = rest > 0x7fn;
    bytes.push(Number(rest & 0x7fn) | (more ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}

const text = (value: string): number[] => [...long(BigInt(Buffer.byteLength(value))), ...Buffer.from(value)];

function file(schema: unknown, blocks: readonly number[], codec = 'null'): Uint8Array {
  const header = [
    ...long(2n),
    ...text('avro.schema'),
    ...text(JSON.stringify(schema)),
    ...text('avro.codec'),
    ...text(codec),
    ...long(0n),
  ];
  return Uint8Array.from([...MAGIC, ...header, ...SYNC, ...blocks]);
}

const block = (count: bigint, data: readonly number[]): number[] => [
  ...long(count),
  ...long(BigInt(data.length)),
  ...data,
  ...SYNC,
];

const record = (...types: unknown[]): unknown => ({
  type: 'record',
  name: 'r',
  fields: types.map((type, i) => ({ name: `n${i}`, type, 'field-id': i })),
});

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return isMoraineError(error) ? error.code : `not a MoraineError: ${String(error)}`;
  }
  return 'no error';
}

describe('reading Avro containers', () => {
  it('reads longs over the whole 64-bit range, also where a double would round', () => {
    const values = [
      0n,
      -1n,
      1n,
      63n,
      -64n,
      64n,
      2n ** 48n,
      -(2n ** 48n),
      2n ** 53n + 1n,
      -(2n ** 53n) - 1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
    ];
    const data = values.flatMap(long);
    expect(
      readAvroFile(file(record('long'), block(BigInt(values.length), data)), 'f').records.map(({ f0 }) => f0),
    ).toEqual(values);
  });

  it('reads unions in either order, arrays with negative counts, and names that are no JavaScript to rely on', () => {
    const schema = {
      type: 'record',
      name: '__proto__',
      fields: [
        { name: '__proto__', type: ['long', 'null'] },
        { name: 'constructor', type: ['null', 'string'] },
        { name: 'toString', type: { type: 'array', items: 'int' } },
      ],
    };
    const data = [
      ...long(0n),
      ...long(7n),
      ...long(1n),
      ...text('x'),
      ...long(-2n),
      ...long(2n),
      ...long(1n),
      ...long(2n),
      ...long(0n),
    ];
    const [only] = readAvroFile(file(schema, block(1n, data)), 'f').records;
    expect({ ...only }).toEqual({ f0: 7n, f1: 'x', f2: [1, 2] });
  });

  it('names the file when it is cut at any byte, and never returns a part of it', () => {
    const whole = file(record('string', 'long'), [
      ...block(1n, [...text('a'), ...long(5n)]),
      ...block(1n, [...text('b'), ...long(6n)]),
    ]);
    const blockLength = block(1n, [...text('a'), ...long(5n)]).length;
    // A file that ends between blocks is a whole file: what was lost can only be seen by its length (see manifest.test.ts).
    const whole0 = whole.length - 2 * blockLength;
    const whole1 = whole.length - blockLength;
    for (let length = 0; length < whole.length; length++) {
      const read = (): unknown => readAvroFile(whole.subarray(0, length), '/t/metadata/m.avro').records.length;
      if (length === whole0 || length === whole1) expect(read()).toBe(length === whole0 ? 0 : 1);
      else
        expect(read).toThrow(
          expect.objectContaining({
            code: 'MANIFEST_CORRUPT',
            message: expect.stringContaining('/t/metadata/m.avro') as unknown,
          }),
        );
    }
  });

  it('refuses a block with a wrong sync marker, count or length', () => {
    const data = [...text('a')];
    const wrongSync = [...long(1n), ...long(BigInt(data.length)), ...data, ...SYNC.map((b) => b ^ 1)];
    expect(codeOf(() => readAvroFile(file(record('string'), wrongSync), 'f'))).toBe('MANIFEST_CORRUPT');
    expect(codeOf(() => readAvroFile(file(record('string'), block(2n, data)), 'f'))).toBe('MANIFEST_CORRUPT');
    expect(codeOf(() => readAvroFile(file(record('string'), block(1n, [...data, 0])), 'f'))).toBe('MANIFEST_CORRUPT');
  });

  it.each([
    ['an array of 2^40 items', record({ type: 'array', items: 'int' }), [...long(2n ** 40n)]],
    [
      'an array that claims its bytes again and again',
      record({ type: 'array', items: 'string' }),
      [...long(1n), ...long(-2n), ...long(1n)],
    ],
    ['a pair map of 2^31 entries', record({ type: 'map', values: 'long' }), [...long(2n ** 31n)]],
    ['text longer than the file', record('string'), [...long(2n ** 40n), 1]],
    ['a long of eleven bytes', record('long'), Array.from({ length: 11 }, () => 0xff)],
    ['items of no bytes', record({ type: 'array', items: 'null' }), [...long(1000n), ...long(0n)]],
    ['a union index out of range', record(['null', 'long']), [...long(9n)]],
  ])('refuses %s at once', (_name, schema, data) => {
    expect(codeOf(() => readAvroFile(file(schema, block(1n, data)), 'f'))).toBe('MANIFEST_CORRUPT');
  });

  it('gives bytes that keep no more than their block in memory', () => {
    const data = [...long(3n), 1, 2, 3];
    const packed = [...deflateRawSync(Uint8Array.from(data))];
    const [row] = readAvroFile(file(record('bytes'), block(1n, packed), 'deflate'), 'f').records;
    const bytes = row?.['f0'] as Uint8Array;
    expect([...bytes]).toEqual([1, 2, 3]);
    expect(bytes.buffer.byteLength).toBeLessThanOrEqual(2 * data.length);
  });

  it('refuses a recursive or unknown type', () => {
    const list = { type: 'record', name: 'l', fields: [{ name: 'next', type: ['null', 'l'] }] };
    expect(codeOf(() => readAvroHeader(file(list, []), 'f'))).toBe('MANIFEST_CORRUPT');
    expect(codeOf(() => readAvroHeader(file(record('nobody'), []), 'f'))).toBe('MANIFEST_CORRUPT');
  });

  it('refuses blocks over the limits, stored or decompressed', () => {
    const limits = { maxBlockBytes: 1000, maxTotalBytes: 1500 };
    const claim = [...long(1n), ...long(2n ** 40n)];
    expect(codeOf(() => readAvroFile(file(record('bytes'), claim), 'f', limits))).toBe('LIMIT_EXCEEDED');
    const zeros = [...long(2000n), ...new Uint8Array(2000)];
    const bomb = block(1n, [...deflateRawSync(Uint8Array.from(zeros))]);
    expect(codeOf(() => readAvroFile(file(record('bytes'), bomb, 'deflate'), 'f', limits))).toBe('LIMIT_EXCEEDED');
    const fits = block(1n, [...deflateRawSync(Uint8Array.from([...long(800n), ...new Uint8Array(800)]))]);
    expect(codeOf(() => readAvroFile(file(record('bytes'), [...fits, ...fits], 'deflate'), 'f', limits))).toBe(
      'LIMIT_EXCEEDED',
    );
    expect(readAvroFile(file(record('bytes'), fits, 'deflate'), 'f', limits).records).toHaveLength(1);
  });

  it('refuses a codec it does not have by its name', () => {
    const read = (codec: string) => (): unknown =>
      readAvroFile(file(record('int'), block(1n, [2]), codec), '/t/m.avro');
    const naming = (code: string, codec: string): unknown =>
      expect.objectContaining({ code, message: expect.stringContaining(`'${codec}'`) as unknown });
    expect(read('bzip2')).toThrow(naming('UNSUPPORTED_FEATURE', 'bzip2'));
    expect(read('lzw')).toThrow(naming('MANIFEST_CORRUPT', 'lzw'));
  });

  it.each(['null', 'deflate', 'zstandard'])('reads what fastavro wrote with the codec %s', (codec) => {
    const bytes = readFileSync(new URL(`../../fixtures/iceberg/v1-manifest-${codec}.avro`, import.meta.url));
    const { records, metadata } = readAvroFile(bytes, 'f');
    expect(records.map(({ f2 }) => f2)).toEqual([0, 1, 2]);
    expect(metadata.get('partition-spec-id')).toBe('5');
  });
});

describe('writing Avro containers', () => {
  it('writes blocks that read back in order, over many blocks, one larger than a block, with either codec', () => {
    const long = 'x'.repeat(2_000_000);
    const records = [
      ...Array.from({ length: 30_000 }, (_, i) => ({ f0: `row ${i}`, f1: BigInt(i) })),
      { f0: long, f1: -1n },
    ];
    for (const codec of ['null', 'deflate'] as const) {
      const bytes = writeAvroFile(record('string', 'long') as never, new Map([['k', 'é']]), records, codec);
      const back = readAvroFile(bytes, 'f');
      expect(back.metadata.get('k')).toBe('é');
      expect(back.records.map((r) => ({ ...r }))).toEqual(records);
    }
  });

  it('gives the same bytes for the same content', () => {
    const write = (value: bigint): Buffer =>
      Buffer.from(writeAvroFile(record('long') as never, new Map(), [{ f0: value }]));
    expect(write(1n).equals(write(1n))).toBe(true);
    expect(write(1n).equals(write(2n))).toBe(false);
  });

  it('refuses a value that does not fit', () => {
    expect(() => writeAvroFile(record('long') as never, new Map(), [{ f0: 2n ** 63n }])).toThrow('64 bits');
  });
});

describe('Avro names', () => {
  it('escapes what Avro does not allow as Java does', () => {
    expect(sanitizeAvroName('a.b')).toBe('a_x2Eb');
    expect(sanitizeAvroName('9x')).toBe('_9x');
    expect(sanitizeAvroName('col/é"')).toBe('col_x2F_xE9_x22');
    expect(sanitizeAvroName('__proto__')).toBe('__proto__');
  });

  it('keeps names apart that become the same', () => {
    const names = uniqueAvroNames([
      { name: 'a.b', id: 1000 },
      { name: 'a_x2Eb', id: 1001 },
      { name: 'c', id: 1002 },
    ]);
    expect(names).toEqual(['a_x2Eb', 'a_x2Eb_1001', 'c']);
  });
});
