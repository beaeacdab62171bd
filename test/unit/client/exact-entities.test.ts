/** Entity rows whose numbers and times no other value may stand for. */
import { Table, TimeMicrosecond, vectorFromArray } from 'apache-arrow';
import { beforeAll, expect, test } from 'vitest';
import { defineEntity, defineFeatureView, type Entities } from '../../../index.js';
import { filesProject } from '../../support/files-project.js';

const project = filesProject();
const { file } = project;
beforeAll(async () => {
  const rows = file('f.csv', 'k,at,v\n9007199254740992,2001-01-01T00:00:00Z,10\n');
  await project.moraine.appendFile('a.f', rows, { create: true });
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const source = { table: 'a.f', timestampField: 'at' };
  await project.moraine.apply([thing, defineFeatureView({ name: 'values', entities: [thing], source })]);
});
async function valuesFor(entities: Entities): Promise<readonly unknown[]> {
  const { table } = await project.moraine.getHistoricalFeatures({ features: ['values:v'], entities });
  const values = table.getChild('v');
  return Array.from({ length: table.numRows }, (_, row) => values?.get(row) as unknown);
}

const TIME = '2001-01-03T00:00:00Z';
const csv = (keys: readonly string[]) =>
  file('keys.csv', `k,event_timestamp,x\n${keys.map((key) => `${key},${TIME},${key}\n`).join('')}1,${TIME},1.5\n`);
const json = (keys: readonly string[]) => {
  const rows = keys.map((key) => `{"k":${key},"event_timestamp":"${TIME}","x":${key}}`);
  return file('keys.json', `[${rows.join(',')},{"k":1,"event_timestamp":"${TIME}","x":1.5}]`);
};

test('a key beyond 2^53 matches itself alone', async () => {
  const keys = ['9007199254740993', '9007199254740992'];
  expect(await valuesFor({ file: csv(keys) })).toEqual([null, 10n, null]);
  expect(await valuesFor({ file: json(keys) })).toEqual([null, 10n, null]);
});

test('keys that are not of the type of the join key are refused, not rounded', async () => {
  const keys = ['9007199254740993', '1.5'];
  const refused = {
    code: 'TYPE_MISMATCH',
    message: expect.stringContaining('"1.5" does not fit long exactly') as string,
  };
  await expect(valuesFor({ file: csv(keys) })).rejects.toMatchObject(refused);
  await expect(valuesFor({ file: json(keys) })).rejects.toMatchObject(refused);
});

test('a bigint that a double does not hold is refused beside a fraction', async () => {
  const event_timestamp = new Date(TIME);
  const rows = [
    { k: 1, x: 9007199254740993n, event_timestamp },
    { k: 1, x: 1.5, event_timestamp },
  ];
  await expect(valuesFor(rows)).rejects.toMatchObject({
    code: 'TYPE_MISMATCH',
    message: expect.stringContaining("Column 'x' of the entity rows has fractions and 9007199254740993") as string,
  });
});

test('24:00:00 is not a time of day in SQL, in lists of SQL, or in Arrow', async () => {
  const select = (time: string) => ({ sql: `SELECT 1 AS k, TIMESTAMPTZ '${TIME}' AS event_timestamp, ${time} AS t` });
  const arrow = (us: bigint) =>
    new Table({
      k: vectorFromArray([1n]),
      event_timestamp: vectorFromArray([new Date(TIME)]),
      t: vectorFromArray([us], new TimeMicrosecond()),
    });
  expect(await valuesFor(select("TIME '23:59:59.999999'"))).toEqual([null]);
  expect(await valuesFor(arrow(86_399_999_999n))).toEqual([null]);
  for (const late of [select("TIME '24:00:00'"), select("[TIME '00:00', TIME '24:00:00']"), arrow(86_400_000_000n)])
    await expect(valuesFor(late)).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message: expect.stringContaining("The column 't' of the entity") as string,
    });
});
