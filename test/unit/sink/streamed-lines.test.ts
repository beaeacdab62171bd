/** Lines of a stream: those that have come are given though no more do, and what was taken from the stream is given when the reading is ended. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { streamedLines } from '../../../sink/files/streamed-lines.js';
import { failureOf } from '../../support/error-code.js';

interface Given {
  readonly text: string;
  readonly lines: number;
  readonly from: bigint;
}

function reading(maxLines: number, stream: AsyncIterable<Uint8Array> = new PassThrough()) {
  const [controller, notices] = [new AbortController(), [] as string[]];
  const options = { maxLines, signal: controller.signal, onNotice: (text: string) => void notices.push(text) };
  const chunks = streamedLines(stream, 'the stream', options);
  const next = async (): Promise<Given | null> => {
    const { value } = await chunks.next();
    return value === undefined ? null : { text: value.bytes.toString(), lines: value.lines, from: value.from };
  };
  const rest = async (): Promise<string> => {
    let text = '';
    for (let given = await next(); given !== null; given = await next()) text += given.text;
    return text;
  };
  return { stream: stream as PassThrough, next, rest, notices, abort: () => controller.abort() };
}

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `{"id":${from + index}}\n`).join('');

it('are given while the stream goes on, and pieces are full at the same lines as without that', async () => {
  const { stream, next } = reading(3);
  stream.write(`${lines(0, 2)}{"id"`);
  expect(await next()).toEqual({ text: lines(0, 2), lines: 2, from: 0n });
  stream.write(`:2}\n${lines(3, 5)}`);
  expect(await next()).toEqual({ text: lines(2, 3), lines: 1, from: 18n });
  stream.write(lines(5, 7));
  expect(await next()).toEqual({ text: lines(3, 6), lines: 3, from: 27n });
  stream.end();
  expect(await next()).toEqual({ text: lines(6, 7), lines: 1, from: 54n });
  expect(await next()).toBeNull();
});

it('end with the signal while nothing comes, and the stream is closed', async () => {
  const { stream, next, abort } = reading(3);
  stream.write(lines(0, 1));
  await next();
  const idle = next();
  abort();
  expect(await idle).toBeNull();
  expect(stream.destroyed).toBe(true);
});

it.each([false, true])(
  'that were taken from the source when the signal came are given, the ones in the memory of the stream, too (pieces apart: %s)',
  async (objectMode) => {
    const { stream, next, rest, abort, notices } = reading(4, new PassThrough({ objectMode }));
    stream.write(Buffer.from(lines(0, 10)));
    expect((await next())?.text).toBe(lines(0, 4));
    stream.write(Buffer.from(lines(10, 20)));
    stream.write(Buffer.from('{"id":20}\n{"id":2'));
    abort();
    expect(await rest()).toBe(lines(4, 21));
    expect(notices).toEqual([
      `the stream was left within the record at byte ${lines(0, 21).length}: nothing of it was written.`,
    ]);
  },
);

it('that came in pieces of another source are given, with a last record that has no end', async () => {
  const { next, rest, abort } = reading(
    4,
    (async function* () {
      yield Buffer.from(lines(0, 6));
      yield Buffer.from('{"id":6}');
      await once(new PassThrough(), 'never');
    })(),
  );
  expect((await next())?.text).toBe(lines(0, 4));
  abort();
  expect(await rest()).toBe(`${lines(4, 6)}{"id":6}`);
});

it('that came before the stream failed are given before its error', async () => {
  const { stream, next } = reading(10);
  stream.write(lines(0, 2));
  const given = next();
  setImmediate(() => stream.destroy(new RangeError('the pipe is broken')));
  expect((await given)?.text).toBe(lines(0, 2));
  await expect(next()).rejects.toThrow('the pipe is broken');
});

it('of a stream that ends within a record are refused', async () => {
  const { stream, next } = reading(10);
  stream.end(`${lines(0, 2)}{"id":`);
  expect((await next())?.text).toBe(lines(0, 2));
  expect(await failureOf(next())).toMatchObject({ code: 'INPUT_UNREADABLE' });
});

it('without an end for more than 64 MiB stop the reading', async () => {
  const piece = Buffer.alloc(1 << 20, 'x');
  let given = 0;
  async function* longLine(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(lines(0, 1));
    for (; given < 80; given += 1) yield await Promise.resolve(piece);
  }
  const failure = await failureOf(reading(3, longLine()).rest());
  expect([failure.code, failure.message]).toEqual([
    'INPUT_UNREADABLE',
    'the stream has a line of more than 64 MiB at byte 9.',
  ]);
  // It is not gathered any further.
  expect(given).toBeLessThan(70);
});
