import { expect, test } from 'vitest';
import { type LocalPath, type Location, localPath } from '../../../locations/index.js';

const opened = (path: LocalPath): string => path;
const recorded = (location: Location): string => location;

test('the compiler does not take a location for a path, nor a path for a location', () => {
  const location: Location = '/w/t/data/f.parquet';
  const path = localPath('/w/t/data/f.parquet');
  // @ts-expect-error: only the storage makes a path of a location
  expect(opened(location)).toBe(location);
  // @ts-expect-error: any text may be a location, not a path
  expect(opened('/w')).toBe('/w');
  // @ts-expect-error: a path is not what metadata holds
  expect(recorded(path)).toBe(path);
  expect([opened(path), recorded(location)]).toEqual([path, location]);
});
