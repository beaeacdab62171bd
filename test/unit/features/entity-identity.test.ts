/** Entities are the same if their keys are, whichever join is used: bytes with zeros in them, and keys and times that are null. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JoinMethod } from '../../../features/index.js';
import { FeatureLab } from '../../support/feature-lab.js';

/** In hexadecimal. Many begin as others do, as far as the first byte that is zero. */
const BYTES = ['', '00', '0000', '0001', '00FF', '01', '0100', '61', '6100', '610061', '610062', null];
const TEXTS = ['a', null];
/** Seconds at which the feature rows are; each is known three seconds later. */
const SECONDS = [10, 20];
/** Seconds of the entity rows. */
const MOMENTS = [5, 11, 15, 25, null];

const combine = <T>(times: readonly T[]) =>
  BYTES.flatMap((k) => TEXTS.flatMap((j) => times.map((seconds) => ({ k, j, seconds }))));
/** The second has rows of some entities alone. */
const FEATURE_ROWS = combine(SECONDS)
  .map((row, x) => ({ ...row, x }))
  .filter(({ x }) => x % 7 !== 3);
const FRAME = combine(MOMENTS);

const sqlOf = ({ k, j }: { readonly k: string | null; readonly j: string | null }): readonly string[] => [
  k === null ? 'NULL' : `unhex('${k}')`,
  j === null ? 'NULL' : `'${j}'`,
];
const time = (seconds: number | null): string =>
  seconds === null ? 'NULL' : `TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_seconds(${seconds})`;
const valuesSql = (rows: readonly (readonly string[])[]): string =>
  `SELECT * FROM (VALUES ${rows.map((row) => `(${row.join(', ')})`).join(', ')})`;

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.rows', {
    k: 'binary',
    j: 'string',
    at: 'timestamptz',
    created: 'timestamptz',
    x: 'long',
  });
  const rows = FEATURE_ROWS.map((row) => [...sqlOf(row), time(row.seconds), time(row.seconds + 3), String(row.x)]);
  await lab.append('demo.rows', valuesSql(rows));
  await lab.createTable('demo.frame', { k: 'binary', j: 'string', event_timestamp: 'timestamptz', n: 'long' });
  const frame = FRAME.map((row, n) => [...sqlOf(row), time(row.seconds), String(n)]);
  await lab.append('demo.frame', valuesSql(frame));
  const source = { table: 'demo.rows', timestampField: 'at', createdTimestampField: 'created' };
  lab.define({
    entities: [
      { name: 'bytes', joinKeys: ['k'] },
      { name: 'text', joinKeys: ['j'] },
    ],
    featureViews: [
      { name: 'of_bytes', entities: ['bytes'], source, features: ['x'] },
      { name: 'of_both', entities: ['bytes', 'text'], source, features: ['x'] },
      { name: 'of_all', entities: [], source, features: ['x'] },
    ],
  });
});
afterAll(() => lab.close());

type Key = 'k' | 'j';
const KEYS_OF: Readonly<Record<string, readonly Key[]>> = { of_bytes: ['k'], of_both: ['k', 'j'], of_all: [] };

/** The newest row of equal keys, none of which is null; of the newest the larger value. */
function expected(view: string, knownAsOf: boolean): readonly (number | null)[] {
  return FRAME.map((wanted) => {
    const found = FEATURE_ROWS.filter(
      (row) =>
        wanted.seconds !== null &&
        row.seconds + (knownAsOf ? 3 : 0) <= wanted.seconds &&
        (KEYS_OF[view] ?? []).every((key) => row[key] !== null && row[key] === wanted[key]),
    );
    const newest = Math.max(...found.map(({ seconds }) => seconds));
    const values = found.flatMap(({ seconds, x }) => (seconds === newest ? [x] : []));
    return values.length === 0 ? null : Math.max(...values);
  });
}

const METHODS: readonly JoinMethod[] = ['arg-max', 'max-join-back', 'asof-join-back'];

test.each(METHODS.flatMap((method) => Object.keys(KEYS_OF).map((view) => [method, view] as const)))(
  '%s, %s',
  async (method, view) => {
    for (const knownAsOf of [false, true]) {
      const request = { features: [`${view}:x`], entities: { table: 'demo.frame' }, method, knownAsOf };
      const { rows } = await lab.historical(request);
      const answer = [...rows].sort((left, right) => Number(left['n']) - Number(right['n'])).map(({ x }) => x);
      expect(answer, `known: ${knownAsOf}`).toEqual(expected(view, knownAsOf));
    }
  },
);
