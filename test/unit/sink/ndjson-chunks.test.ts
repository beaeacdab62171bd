import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { chunksOf } from '../../../sink/files/ndjson-chunks.js';

const folder = mkdtempSync(join(tmpdir(), 'moraine-chunks-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'a.ndjson');
beforeEach(() => writeFileSync(file, ''));

async function read(from: bigint, maxLines = 2) {
  const found: unknown[] = [];
  for await (const { bytes, lines, ...range } of chunksOf(file, from, maxLines))
    found.push([bytes.toString(), lines, range.from, range.to]);
  return found;
}

const refusal = (from: bigint) => read(from).then(String, (error: Error) => error.message.replace(file, 'FILE'));

it('cuts a file at line ends, by bytes', async () => {
  // The second line has 10 characters and 12 bytes, and the third one ends with a carriage return, too.
  writeFileSync(file, '{"a":1}\n{"a":"é€"}\n{"a":3}\r\n\n{"a":5}\n');
  expect(await read(0n)).toEqual([
    ['{"a":1}\n{"a":"é€"}\n', 2, 0n, 22n],
    ['{"a":3}\r\n\n', 2, 22n, 32n],
    ['{"a":5}\n', 1, 32n, 40n],
  ]);
  expect(await read(22n, 100)).toEqual([['{"a":3}\r\n\n{"a":5}\n', 3, 22n, 40n]]);
  expect(await read(40n)).toEqual([]);
});

it('gives pieces of eight mebibytes, whatever the number of their lines', async () => {
  const line = `${JSON.stringify({ a: 'x'.repeat(999_991) })}\n`;
  writeFileSync(file, line.repeat(20));
  const found = (await read(0n, 1_000)) as [string, number, bigint, bigint][];
  expect(found.map(([, lines]) => lines)).toEqual([8, 8, 4]);
  expect(found.map(([, , from, to]) => [from, to])).toEqual([
    [0n, 8_000_000n],
    [8_000_000n, 16_000_000n],
    [16_000_000n, 20_000_000n],
  ]);
});

it('takes a last line without an end if it is whole, and goes on behind it', async () => {
  writeFileSync(file, '{"a":1}\n{"a":2');
  const chunks = chunksOf(file, 0n, 2);
  expect((await chunks.next()).value).toMatchObject({ lines: 1, from: 0n, to: 8n });
  await expect(chunks.next()).rejects.toMatchObject({
    code: 'INPUT_UNREADABLE',
    message: `${file} ends within the record at byte 8: nothing of it was written. Run the command again when the file is whole.`,
  });
  appendFileSync(file, '}');
  expect(await read(8n)).toEqual([['{"a":2}', 1, 8n, 15n]]);
  appendFileSync(file, '\n{"a":3}\n');
  expect(await read(15n)).toEqual([['\n{"a":3}\n', 2, 15n, 24n]]);
});

it('goes on behind a last line that gets a carriage return and a newline as its end', async () => {
  writeFileSync(file, '{"a":1}\r\n{"a":2}');
  expect(await read(0n)).toEqual([
    ['{"a":1}\r\n', 1, 0n, 9n],
    ['{"a":2}', 1, 9n, 16n],
  ]);
  appendFileSync(file, '\r');
  expect(await refusal(16n)).toContain('ends within the record at byte 16');
  appendFileSync(file, '\n{"a":3}\r\n');
  expect(await read(16n)).toEqual([['\r\n{"a":3}\r\n', 2, 16n, 27n]]);
  writeFileSync(file, '{"a":1}\r{"a":2}');
  expect(await refusal(7n)).toContain('no line that begins at byte 7');
});

it('takes a last line for whole though a byte order mark is before it, if the file begins there', async () => {
  writeFileSync(file, '\ufeff{"a":1}');
  expect(await read(0n)).toEqual([['\ufeff{"a":1}', 1, 0n, 10n]]);
  writeFileSync(file, '{"a":1}\n\ufeff{"a":2}');
  expect(await refusal(0n)).toContain('FILE ends within the record at byte 8: ');
});

it('refuses positions at which no line begins', async () => {
  writeFileSync(file, '{"a":1}\n{"a":2}\n');
  expect(await refusal(10n)).toBe(
    'FILE has no line that begins at byte 10, up to which the table has its records: the file was changed. Restore it, or write it with a sink of another name (--name).',
  );
  truncateSync(file, 8);
  expect(await refusal(16n)).toBe(
    'FILE has 8 bytes, and the table has its records up to byte 16: it was cut short or replaced. Restore it, or write it with a sink of another name (--name).',
  );
});
