import { assert, property, string, stringMatching, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparableLocation, Relocation } from '../../../locations/index.js';

const local = new Relocation('/w/ns/t', 's3://bucket/wh/ns/t');
const stored = new Relocation('s3://bucket/wh/t/', '/w/t');

describe('new locations', () => {
  it.each([
    ['/w/ns/t/data/a.parquet', 's3://bucket/wh/ns/t/data/a.parquet'],
    ['file:/w/ns/t/data/a.parquet', 's3://bucket/wh/ns/t/data/a.parquet'],
    ['file:///w//ns/./t/data/a.parquet', 's3://bucket/wh/ns/t/data/a.parquet'],
    ['/w/ns/t/data/k=%2F b#c?d=1.parquet', 's3://bucket/wh/ns/t/data/k=%2F b#c?d=1.parquet'],
  ])('%s keeps its place in the folder', (from, to) => {
    expect(local.of(from)).toBe(to);
  });

  it('names of Hadoop for objects are those of the objects', () => {
    expect(stored.of('s3a://bucket/wh/t/data/a')).toBe('/w/t/data/a');
    expect(stored.of('s3n://bucket/wh/t/data/a')).toBe('/w/t/data/a');
  });

  it.each(['/w/ns/t2/data/a', '/w/ns/t/../u/a', '/elsewhere/a', 's3://bucket/wh/ns/t/a'])(
    '%s lies outside and goes to a folder of its own',
    (from) => {
      expect(local.of(from)).toMatch(/^s3:\/\/bucket\/wh\/ns\/t\/moved\/[0-9a-f]{32}\/a$/);
    },
  );

  it('objects whose names mean other files as paths stay apart', () => {
    const names = ['a/b', 'a//b', 'a/./b', 'a/../a/b', 'a/..', 'a/'];
    const places = names.map((name) => stored.of(`s3://bucket/wh/t/${name}`));
    expect(new Set(places).size).toBe(names.length);
    for (const place of places) expect(place).toMatch(/^\/w\/t\/(?!.*\/(\.\.?)?(\/|$))/);
  });

  it('folders below the old one follow it, and no others do', () => {
    expect(local.within('/w/ns/t')).toBe('s3://bucket/wh/ns/t');
    expect(local.within('file:/w/ns/t/')).toBe('s3://bucket/wh/ns/t');
    expect(local.within('/w/ns/t/data')).toBe('s3://bucket/wh/ns/t/data');
    expect(local.within('/w/ns')).toBeNull();
    expect(local.within('/w/ns/tt')).toBeNull();
    expect(local.within('true')).toBeNull();
  });

  const segment = string({ minLength: 1, maxLength: 6 }).filter((text) => !/[/\0]/.test(text));
  const path = tuple(stringMatching(/^\/(w\/ns\/t|w\/ns|x|)$/), segment, segment).map((parts) => parts.join('/'));

  it('different files get different places, below the new folder', () => {
    assert(
      property(path, path, (a, b) => {
        const isSame = comparableLocation(a) === comparableLocation(b);
        expect(local.of(a) === local.of(b)).toBe(isSame);
        expect(local.of(a).startsWith('s3://bucket/wh/ns/t/')).toBe(true);
      }),
    );
  });
});
