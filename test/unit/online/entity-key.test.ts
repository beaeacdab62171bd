import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openEngine, sqlLiteral } from '../../../engine/index.js';
import type { PrimitiveType, PrimitiveValue } from '../../../iceberg/index.js';
import { encodeEntityKey, entityKeySql } from '../../../online/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const part = (kind: string, extra: object = {}) => ({ name: kind, type: { kind, ...extra } as PrimitiveType });

describe('the entity key', () => {
  it('tells (1, 23) from (12, 3) and from text', () => {
    const longs = [part('long'), part('long')];
    expect(encodeEntityKey(longs, [1n, 23n])).toBe('i1:1i2:23');
    expect(encodeEntityKey(longs, [12n, 3n])).toBe('i2:12i1:3');
    expect(encodeEntityKey([part('string'), part('long')], ['1', 23n])).toBe('s1:1i2:23');
  });

  it('counts bytes, so that no text can imitate another part', () => {
    const strings = [part('string'), part('string')];
    expect(encodeEntityKey(strings, ['ä', ''])).toBe('s2:äs0:');
    expect(encodeEntityKey(strings, ['s0:', 'x'])).not.toBe(encodeEntityKey(strings, ['', 's0:x']));
  });

  it('is the empty text without keys', () => {
    expect(encodeEntityKey([], [])).toBe('');
    expect(entityKeySql([], [])).toBe(`''`);
  });

  it('is the same for an int and a long, so that a key can be widened', () => {
    expect(encodeEntityKey([part('int')], [-7])).toBe(encodeEntityKey([part('long')], [-7n]));
  });

  it('is injective on pairs of texts', () => {
    const strings = [part('string'), part('string')];
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (a, b, c, d) => {
        const equal = encodeEntityKey(strings, [a, b]) === encodeEntityKey(strings, [c, d]);
        expect(equal).toBe(a === c && b === d);
      }),
    );
  });
});

const values: readonly [ReturnType<typeof part>, PrimitiveValue, string][] = [
  [part('int'), -5, 'i2:-5'],
  [part('long'), 9_007_199_254_740_993n, 'i16:9007199254740993'],
  [part('string'), "Zoë 😀 it's", "s14:Zoë 😀 it's"],
  [part('boolean'), true, 'b4:true'],
  [part('date'), -1, 'd2:-1'],
  [part('time'), 3_723_000_004n, 't10:3723000004'],
  [part('timestamp'), -1n, 't2:-1'],
  [part('timestamptz'), 1_700_000_000_123_456n, 't16:1700000000123456'],
  [part('uuid'), 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 'u36:f79c3e09-677c-4bbd-a479-3f349cb785e7'],
  [part('binary'), new Uint8Array([0, 255]), 'x4:00ff'],
  [part('fixed', { length: 2 }), new Uint8Array([1, 2]), 'x4:0102'],
  [part('decimal', { precision: 9, scale: 2 }), -5n, 'm5:-0.05'],
  [part('decimal', { precision: 38, scale: 0 }), 10n ** 37n, `m38:1${'0'.repeat(37)}`],
];

describe('the entity key in SQL', () => {
  it('agrees with JavaScript for every type', async () => {
    const folder = temporaryFolder();
    const engine = await openEngine({
      memoryLimitBytes: 256 * 2 ** 20,
      threads: 1,
      tempDirectory: `${folder}/tmp`,
      allowedDirectories: [folder],
    });
    onTestFinished(() => engine.close());
    for (const [key, value, expected] of values) {
      expect(encodeEntityKey([key], [value])).toBe(expected);
      const [row] = await engine.withConnection((c) =>
        c.rows(`SELECT ${entityKeySql([key], [sqlLiteral(key.type, value)])}`),
      );
      expect(row).toEqual([expected]);
    }
  });
});
