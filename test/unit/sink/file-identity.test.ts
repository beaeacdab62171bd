/** Files that a sink has read before: by what they hold, whatever their names. */
import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { firstDigestOf, placeOf } from '../../../sink/files/file-identity.js';
import { failureOf } from '../../support/error-code.js';

const folder = mkdtempSync(join(tmpdir(), 'moraine-identity-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'a.ndjson');

const sha = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);
const known = { positions: new Map<string, bigint>(), marks: new Map<string, string>() };
beforeEach(() => {
  known.positions.clear();
  known.marks.clear();
});

/** The place of a file, which has then been read up to a byte. */
async function read(path: string, to = readFileSync(path).length): Promise<readonly [string, bigint] | null> {
  const place = await placeOf(path, known);
  if (place === null) return null;
  const { partition, position, mark } = place;
  mark.append(readFileSync(path).subarray(Number(position), to));
  known.positions.set(partition, BigInt(to));
  known.marks.set(partition, mark.toString());
  return [partition, position];
}

const name = (line: string) => `file:${sha(line)}`;
const [a, b] = ['{"a":1}', '{"a":2}'];

it('has no place while it is empty, and cannot be read if it is not there', async () => {
  writeFileSync(file, '');
  expect(await read(file)).toBeNull();
  expect(await failureOf(placeOf(join(folder, 'none'), known))).toMatchObject({ code: 'INPUT_UNREADABLE' });
});

it('is known by its first line, which may come to an end later', async () => {
  writeFileSync(file, a);
  expect(await read(file)).toEqual([name(a), 0n]);
  appendFileSync(file, `\n${b}\n`);
  expect(await read(file)).toEqual([name(a), 7n]);
  expect(known.marks.get(name(a))).toBe(`16.${sha(`${a}\n${b}\n`)}.${sha(`${a}\n${b}\n`)}`);
});

it.each([0, 2 ** 16 - 8, 2 ** 16 - 7])(
  'is known by its first line of %i bytes more, which may end with a carriage return, too',
  async (more) => {
    const line = `${a.slice(0, -1)}${' '.repeat(more)}}`;
    writeFileSync(file, line);
    expect(await read(file)).toEqual([name(line), 0n]);
    appendFileSync(file, `\r\n${b}\r\n`);
    expect(await read(file)).toEqual([name(line), BigInt(line.length)]);
    expect(firstDigestOf(readFileSync(file))).toBe(sha(line));
  },
);

it.each([10, 4_090, 5_000, 100_000])('goes on in a file of %i bytes, read in pieces or at once', async (length) => {
  const text = `${a}\n${'x'.repeat(length)}\n${'y'.repeat(length)}\n`;
  writeFileSync(file, text);
  const middle = a.length + 1 + length + 1;
  expect(await read(file, middle)).toEqual([name(a), 0n]);
  expect(await read(file)).toEqual([name(a), BigInt(middle)]);
  const bytes = Buffer.from(text);
  const whole = `${Math.min(bytes.length, 4096)}.${sha(bytes.subarray(0, 4096))}.${sha(bytes.subarray(-4096))}`;
  expect(known.marks.get(name(a))).toBe(whole);
  expect(await read(file)).toEqual([name(a), BigInt(bytes.length)]);
});

it.each([
  ['before the position', `${a}\n${'x'.repeat(9_000)}`, `${a}\n${'x'.repeat(8_999)}y`],
  ['at the beginning', `${a}\n${'x'.repeat(9_000)}`, `${a}\ny${'x'.repeat(8_999)}`],
  ['and is shorter', `${a}\n${'x'.repeat(9_000)}`, `${a}\ny${'x'.repeat(4_100)}`],
])('is another one if it differs %s, though the first lines are alike', async (_, one, other) => {
  const second = join(folder, 'b.ndjson');
  writeFileSync(file, one);
  writeFileSync(second, other);
  expect(await read(file)).toEqual([name(a), 0n]);
  expect(await read(second)).toEqual([`${name(a)}.2`, 0n]);
  expect([await read(file), await read(second)]).toEqual([
    [name(a), BigInt(one.length)],
    [`${name(a)}.2`, BigInt(other.length)],
  ]);
});

it('goes on where the copy is that was read the furthest', async () => {
  writeFileSync(file, `${a}\n${b}\n`);
  await read(file, 8);
  known.positions.set(`${name(a)}.2`, 16n);
  known.marks.set(`${name(a)}.2`, `16.${sha(`${a}\n${b}\n`)}.${sha(`${a}\n${b}\n`)}`);
  expect(await read(file)).toEqual([`${name(a)}.2`, 16n]);
});

it.each([20, 5_000])('of %i bytes that was cut short stops', async (length) => {
  writeFileSync(file, `${a}\n${'x'.repeat(length)}\n`);
  await read(file);
  truncateSync(file, Math.min(length, 4_500));
  expect(await failureOf(placeOf(file, known))).toMatchObject({
    code: 'INPUT_UNREADABLE',
    message: `${file} has ${Math.min(length, 4_500)} bytes and begins like a file that the table has up to byte ${length + 9}: it is that file, cut short, or another one. Restore it, or write it with a sink of another name (--name).`,
  });
});
