import { appendFileSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TailReader } from '../../../engine/parquet/file-tail.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const KIB = 1024;

/** A file whose bytes are their own positions, but for carries. */
function fileOf(size: number): string {
  const path = join(temporaryFolder(), 'data.parquet');
  writeFileSync(path, bytesOf(0, size));
  return path;
}

const bytesOf = (start: number, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, index) => (start + index) % 251));

const codeOf = (path: string, expected: number): Promise<string> =>
  new TailReader()
    .withTail(path, expected, () => 'read')
    .catch((error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`);

describe('the end of a file', () => {
  it.each([0, 1, 32 * KIB - 1, 32 * KIB, 32 * KIB + 1, 100 * KIB])(
    'of %i bytes is its last 32 KiB, and others are read when asked for',
    async (size) => {
      const path = fileOf(size);
      const length = Math.min(size, 32 * KIB);
      for (const expected of [size, undefined]) {
        await new TailReader().withTail(path, expected, async (file) => {
          expect(file.size).toBe(size);
          expect(file.tail.equals(bytesOf(size - length, length))).toBe(true);
          expect(await file.bytes(0, Math.min(7, size))).toEqual(bytesOf(0, Math.min(7, size)));
        });
      }
    },
  );

  it('is of one file after another, whatever their lengths', async () => {
    const reader = new TailReader();
    for (const size of [50 * KIB, 3, 40 * KIB]) {
      const length = Math.min(size, 32 * KIB);
      const isRight = await reader.withTail(fileOf(size), size, ({ tail }) =>
        tail.equals(bytesOf(size - length, length)),
      );
      expect(isRight).toBe(true);
    }
  });

  it.each([5, 40 * KIB])('a file of %i bytes that is longer or shorter than it should be is named', async (size) => {
    const path = fileOf(size);
    appendFileSync(path, 'x');
    expect(await codeOf(path, size)).toBe(
      `DATA_FILE_CORRUPT: A data file is damaged: ${path} has ${size + 1} bytes, and the manifest says ${size}.`,
    );
    truncateSync(path, size - 1);
    expect(await codeOf(path, size)).toBe(
      `DATA_FILE_CORRUPT: A data file is damaged: ${path} has ${size - 1} bytes, and the manifest says ${size}.`,
    );
  });

  it('a file that is gone, and a folder in its place, are named', async () => {
    const path = join(temporaryFolder(), 'data.parquet');
    expect(await codeOf(path, 5)).toBe(`FILE_NOT_FOUND: The data file ${path} does not exist.`);
    mkdirSync(path);
    expect(await codeOf(path, 5)).toBe(`DATA_FILE_CORRUPT: A data file is damaged: ${path} is a folder.`);
  });

  it('an error of who looks at it is given on as it is, and the next file is read', async () => {
    const reader = new TailReader();
    const failure = new RangeError('mine');
    const path = fileOf(10);
    const attempt = reader.withTail(path, 10, () => {
      throw failure;
    });
    await expect(attempt).rejects.toBe(failure);
    expect(await reader.withTail(path, 10, ({ tail }) => tail.length)).toBe(10);
  });
});
