import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { formatColumns, OutputClosedError, printable, streamOutput, toJson } from '../../../cli/output/output.js';
import { createProgress } from '../../../cli/output/progress.js';
import { asMoraineError, exitCodeOf, renderError } from '../../../cli/output/render-error.js';
import { counted, MoraineError } from '../../../errors/index.js';

describe('output', () => {
  it('waits for a slow reader and fails with its own error when the reader goes', async () => {
    const written: string[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk.toString());
        setImmediate(() =>
          done(written.length < 3 ? null : Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
        );
      },
    });
    const output = streamOutput(stream);
    await output.write('a');
    await output.write('b');
    await expect(output.write('c')).rejects.toBeInstanceOf(OutputClosedError);
    await expect(output.write('d')).rejects.toBeInstanceOf(OutputClosedError);
    expect(written).toEqual(['a', 'b', 'c']);
  });

  it('says of a full disk that the output could not be written', async () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const output = streamOutput(new Writable({ write: (_chunk, _encoding, done) => done(full) }));
    await expect(output.write('a')).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: 'standard output cannot be written: ENOSPC: no space left on device, write',
    });
  });

  it('writes 64-bit integers as strings and maps as objects', () => {
    expect(toJson({ id: 9_223_372_036_854_775_807n, m: new Map([['k', 1n]]) })).toBe(
      '{"id":"9223372036854775807","m":{"k":"1"}}',
    );
  });

  it('counts things', () => {
    expect(['0', 1, 1n, 2].map((count) => counted(count, 'row'))).toEqual(['0 rows', '1 row', '1 row', '2 rows']);
  });

  it('aligns columns', () => {
    expect(
      formatColumns(
        ['a', 'bb'],
        [
          ['long', 'x'],
          ['', 'y\u001b[2J'],
        ],
      ),
    ).toBe('a     bb\nlong  x\n      y\\u001b[2J\n');
  });

  it('shows control characters', () => {
    expect(printable('a\nb\t\u001b[31m\u0085\u2028é"')).toBe('a\\nb\\t\\u001b[31m\\u0085\\u2028é"');
  });
});

describe('errors on standard error', () => {
  const error = new MoraineError('TABLE_NOT_FOUND', 'there is no table a.b\u001b[2J', { details: { table: 'a.b' } });

  it('are a sentence, a code and a remedy', () => {
    expect(renderError(error, { verbose: false, json: false })).toBe(
      'error: there is no table a.b\\u001b[2J [TABLE_NOT_FOUND]\n  Check the name; `moraine table create` makes a table.\n',
    );
    expect(exitCodeOf(error)).toBe(3);
    const own = new MoraineError('TEMPORAL_UNAVAILABLE', 'it does not answer', { remedy: 'Start it.' });
    expect(renderError(own, { verbose: false, json: false })).toBe(
      'error: it does not answer [TEMPORAL_UNAVAILABLE]\n  Start it.\n',
    );
  });

  it('are one JSON object with --json', () => {
    expect(JSON.parse(renderError(error, { verbose: false, json: true }))).toEqual({
      error: {
        code: 'TABLE_NOT_FOUND',
        message: 'there is no table a.b\u001b[2J',
        remedy: 'Check the name; `moraine table create` makes a table.',
        retryable: false,
        details: { table: 'a.b' },
      },
    });
  });

  it('have their stack and cause with --verbose only', () => {
    const bug = asMoraineError(new TypeError('x is undefined'));
    expect(bug.code).toBe('INTERNAL');
    expect(exitCodeOf(bug)).toBe(70);
    expect(renderError(bug, { verbose: false, json: false })).toBe(
      'error: unexpected failure: x is undefined [INTERNAL]\n  Report it with the stack trace (--verbose).\n',
    );
    expect(renderError(bug, { verbose: true, json: false })).toMatch(/caused by: TypeError: x is undefined\n {4}at /);
  });
});

describe('progress', () => {
  const show = (isTTY: boolean, times: readonly number[]): string => {
    let text = '';
    let now = 0;
    const stream = { isTTY, columns: 30, write: (chunk: string) => (text += chunk) } as unknown as NodeJS.WriteStream;
    const progress = createProgress(stream, () => now);
    for (const time of times) {
      now = time;
      progress.update(`at ${time}`);
    }
    progress.clear();
    return text;
  };

  it('is one line that is rewritten on a terminal', () => {
    expect(show(true, [0, 50, 150])).toBe('\r\u001b[2Kat 0\r\u001b[2Kat 150\r\u001b[2K');
  });

  it('is a line every ten seconds elsewhere, none for short work', () => {
    expect(show(false, [0, 5000, 10_000, 12_000, 20_000])).toBe('at 10000\nat 20000\n');
  });
});
