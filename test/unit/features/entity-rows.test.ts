/** Join keys of entity rows that are objects, read by their types and never rounded. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

type Keys = readonly (string | number | bigint | boolean | Date | { readonly number: string } | null)[];

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.longs', { id: 'long', at: 'timestamptz', v: 'string' });
  await lab.createTable('demo.decimals', { price: 'decimal(22, 2)', at: 'timestamptz', v: 'string' });
  const at = `TIMESTAMPTZ '2001-01-01 10:00:00Z'`;
  await lab.append(
    'demo.longs',
    `SELECT id::BIGINT, ${at}, id::VARCHAR FROM (VALUES (1), (9007199254740990), (9007199254740991), (9007199254740993)) t(id)`,
  );
  await lab.append(
    'demo.decimals',
    `SELECT price::DECIMAL(22, 2), ${at}, price FROM (VALUES ('12.50'), ('7.00'), ('-0.25'), ('12345678901234567890.25')) t(price)`,
  );
  lab.define({
    entities: [
      { name: 'long', joinKeys: ['id'] },
      { name: 'decimal', joinKeys: ['price'] },
    ],
    featureViews: [
      { name: 'longs', entities: ['long'], source: { table: 'demo.longs', timestampField: 'at' } },
      { name: 'decimals', entities: ['decimal'], source: { table: 'demo.decimals', timestampField: 'at' } },
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
