/** Join keys of entity rows that are objects, read by their types and never rounded. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EntityRow } from '../../../features/index.js';
import { failureOf } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

type Keys = readonly (string | number | bigint | boolean | Date | { readonly number: string } | null)[];

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.longs', { id: 'long', at: 'timestamptz', v: 'string' });
  await lab.createTable('demo.texts', { session: 'string', at: 'timestamptz', v: 'string' });
  await lab.createTable('demo.decimals', { price: 'decimal(22, 2)', at: 'timestamptz', v: 'string' });
  const at = `TIMESTAMPTZ '2001-01-01 10:00:00Z'`;
  await lab.append(
    'demo.longs',
    `SELECT id::BIGINT, ${at}, id::VARCHAR FROM (VALUES (1), (9007199254740990), (9007199254740991), (9007199254740993)) t(id)`,
  );
  await lab.append(
    'demo.texts',
    `SELECT session, ${at}, session FROM (VALUES ('2001-01-01T00:00:00Z'), ('2001-01-01 00:00:00'), ('a')) t(session)`,
  );
  await lab.append(
    'demo.decimals',
    `SELECT price::DECIMAL(22, 2), ${at}, price FROM (VALUES ('12.50'), ('7.00'), ('-0.25'), ('12345678901234567890.25')) t(price)`,
  );
  lab.define({
    entities: [
      { name: 'long', joinKeys: ['id'] },
      { name: 'decimal', joinKeys: ['price'] },
      { name: 'text', joinKeys: ['session'] },
    ],
    featureViews: [
      { name: 'longs', entities: ['long'], source: { table: 'demo.longs', timestampField: 'at' } },
      { name: 'decimals', entities: ['decimal'], source: { table: 'demo.decimals', timestampField: 'at' } },
      { name: 'texts', entities: ['text'], source: { table: 'demo.texts', timestampField: 'at' } },
    ],
  });
});
afterAll(() => lab.close());

const ask = (key: 'id' | 'price', values: Keys) =>
  lab.historical({
    features: [key === 'id' ? 'longs:v' : 'decimals:v'],
    entities: { rows: values.map((value) => ({ [key]: value, event_timestamp: new Date('2002-01-01') })) },
  });
const found = async (key: 'id' | 'price', values: Keys) => (await ask(key, values)).rows.map(({ v }) => v);

describe('a join key', () => {
  it('that is a long is matched with all of its digits, and by no fraction near it', async () => {
    expect(await found('id', [9_007_199_254_740_993n, 9_007_199_254_740_992n, 1, null])).toEqual([
      '9007199254740993',
      null,
      '1',
      null,
    ]);
    for (const number of ['1.00000000000000001', '9007199254740990.5', '9007199254740992.9'])
      expect((await failureOf(ask('id', [{ number }]))).code).toBe('TYPE_MISMATCH');
  });

  it('that is a decimal is read exactly from numbers, texts and numbers with many digits', async () => {
    const digits = { number: '12345678901234567890.25' };
    expect(
      await found('price', [12.5, '12.50', '12.5', 7, 7n, -0.25, digits, '12345678901234567890.25', null]),
    ).toEqual([
      '12.50',
      '12.50',
      '12.50',
      '7.00',
      '7.00',
      '-0.25',
      '12345678901234567890.25',
      '12345678901234567890.25',
      null,
    ]);
    expect(await found('price', [7, 8n, null])).toEqual(['7.00', null, null]);
    expect(await found('price', [12_345_678_901_234_567_890n, 12.5])).toEqual([null, '12.50']);
  });

  it.each<Keys[number]>([12.505, '12.505', 'x', { number: '12.500000000000000001' }, 10n ** 20n, true, new Date(0)])(
    'that is a decimal is not %o',
    async (value) => {
      const failure = await failureOf(ask('price', [12.5, value]));
      expect([failure.code, failure.message]).toEqual([
        'TYPE_MISMATCH',
        expect.stringMatching(/^The value ".+" of the join key 'price' is not of type decimal\(22, 2\)\.$/),
      ]);
    },
  );
});

const texts = (rows: readonly EntityRow[]) =>
  lab.historical({
    features: ['texts:v'],
    entities: { rows: rows.map((row) => ({ session: 'a', event_timestamp: new Date('2002-01-01'), ...row })) },
  });

it('a join key that is a text is compared as it is, though each looks like a time', async () => {
  const keys = ['2001-01-01T00:00:00Z', '2001-01-01 00:00:00', '2001-01-01T00:00:00.000Z', '2001-01-01T01:00:00+01:00'];
  const { rows } = await texts(keys.map((session) => ({ session })));
  expect(rows.map(({ session, v }) => [session, v])).toEqual([
    ['2001-01-01T00:00:00Z', '2001-01-01T00:00:00Z'],
    ['2001-01-01 00:00:00', '2001-01-01 00:00:00'],
    ['2001-01-01T00:00:00.000Z', null],
    ['2001-01-01T01:00:00+01:00', null],
  ]);
});

it.each([
  '0000-00-00 00:00:00',
  '2001-02-29T00:00:00Z',
  '1900-02-29 00:00:00',
  '2001-04-31 00:00',
  '2001-13-01T00:00:00Z',
  '2001-01-01T24:00:01Z',
  '2001-01-01 24:00:00.5',
  '2001-01-01T24:01+01:00',
  '2001-01-01T00:60Z',
  '2001-01-01 00:00:61.5',
  '9999-12-31T23:59:59.9999999Z',
])('the text %s is no time, and stays a text', async (note) => {
  const { rows } = await texts([{ note }, { note: '2001-01-01T00:00:00Z' }]);
  expect(rows.map((row) => [row['note'], row['v']])).toEqual([
    [note, 'a'],
    ['2001-01-01T00:00:00Z', 'a'],
  ]);
  const failure = await failureOf(texts([{}, { event_timestamp: '2001-01-01T00:00:00Z' }, { event_timestamp: note }]));
  expect([failure.code, failure.message]).toEqual([
    'TYPE_MISMATCH',
    `Column 'event_timestamp' of the entity rows is of type string, not a timestamp: "${note}" is no time.`,
  ]);
});

it('a day ends at 24:00, where the next one begins', async () => {
  const ends = ['2001-02-28T24:00:00Z', '2001-02-28 24:00', '2001-02-28T24:00:00.000+01:00'];
  const { rows } = await texts(ends.map((event_timestamp) => ({ event_timestamp })));
  expect(rows.map((row) => row['event_timestamp'])).toEqual([
    '2001-03-01T00:00:00.000000Z',
    '2001-03-01T00:00:00.000000Z',
    '2001-02-28T23:00:00.000000Z',
  ]);
});

it.each([
  ['2000-02-29T23:59:59.999999Z', 'timestamptz'],
  ['2001-12-31 00:00', 'timestamptz'],
  ['0001-01-01T00:00:00Z', 'timestamptz'],
  ['2261-12-31T23:59:59.999999999Z', 'timestamptz_ns'],
])('the text %s is a time of type %s', async (note, type) => {
  expect((await texts([{ note }])).columns).toContain(`note ${type}`);
});
