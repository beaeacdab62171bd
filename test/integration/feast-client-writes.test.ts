/**
 * Feast's unmodified client writes (`write_to_online_store`, `push`) to `moraine serve`, and reads back what it wrote: each type that it can
 * send, in values and types of Python. Expected values are worked out by hand.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FeastSession } from '../support/feast-session.js';
import { describeInterop } from '../support/python.js';
import { startServiceProcess } from '../support/service-process.js';
import { SideBySide, writeServiceConfig } from '../support/side-by-side.js';

const LARGE = '9007199254740993';
const MISSING = ['NoneType', 'None', 'NOT_FOUND'];
const NULL = ['NoneType', 'None', 'NULL_VALUE'];
const hoursAgo = (count: number): string => new Date(Date.now() - count * 3_600_000).toISOString().replace('Z', '');

/** Features by type: what Python writes, and the type and value that it reads. Feast's client cannot send bytes and NaN; maps and structs it sends as texts of JSON. */
const TYPES: Readonly<Record<string, readonly [type: string, literal: string, python: string, repr: string]>> = {
  flag: ['boolean', 'True', 'bool', 'True'],
  small: ['int', '-7', 'int', '-7'],
  large: ['long', '9223372036854775807', 'int', '9223372036854775807'],
  single: ['float', '0.1', 'float', '0.10000000149011612'],
  huge: ['double', '1e300', 'float', '1e+300'],
  whole: ['double', '5.0', 'float', '5.0'],
  text: ['string', `'Brötchen "1"\\\\'`, 'str', `'Brötchen "1"\\\\'`],
  moment_ts: ['timestamptz', "'2001-02-03T04:05:06'", 'int', '981173106'],
  zoneless_ts: ['timestamp', "'1969-12-31T23:59:58'", 'int', '-2'],
  ints: ['list<int>', '[1, -3]', 'list', '[1, -3]'],
  longs: ['list<long>', `[${LARGE}]`, 'list', `[${LARGE}]`],
  doubles: ['list<double>', '[0.5, 2.0]', 'list', '[0.5, 2.0]'],
  flags: ['list<boolean>', '[True, False]', 'list', '[True, False]'],
  texts: ['list<string>', "['x', '']", 'list', "['x', '']"],
  words: ['map<string, string>', "{'a': 'x'}", 'dict', "{'a': 'x'}"],
  counts: ['map<string, long>', `{'a': ${LARGE}}`, 'dict', `{'a': ${LARGE}}`],
  pair: ['struct<a: long, b: string>', `{'a': ${LARGE}, 'b': 'x'}`, 'dict', `{'a': ${LARGE}, 'b': 'x'}`],
};
const NAMES = Object.keys(TYPES);

describeInterop("Feast's client", () => {
  let feast: FeastSession;
  beforeAll(() => {
    feast = FeastSession.open();
  });
  afterAll(() => feast.close());

  test('writes and pushes rows of each type, and reads them back', async () => {
    const side = await SideBySide.open(feast);
    const types = Object.fromEntries(Object.entries(TYPES).map(([name, [type]]) => [name, type]));
    await side.table('demo.t', {
      driver_id: 'long',
      zone: 'string',
      event_ts: 'timestamptz',
      created: 'timestamptz',
      ...types,
    });
    const source = { table: 'demo.t', timestampField: 'event_ts', createdTimestampField: 'created' };
    const definitions = {
      entities: ['driver_id', 'zone'].map((name) => ({ name, joinKeys: [name] })),
      featureViews: [
        { name: 'v', entities: ['driver_id'], source, online: true, features: NAMES },
        { name: 'pairs', entities: ['driver_id', 'zone'], source, online: true, features: ['small'] },
      ],
    };
    await side.define(definitions, undefined, { pairs: 'events' });
    const { folder } = side.lab;
    writeServiceConfig(folder);
    await side.moraine();
    const { url } = await startServiceProcess(folder);

    // Pandas makes floats of integers in a column with nulls, and Feast writes no row of which every feature is null.
    const row = (driver_id: string, hours: number, created: string, literalOf: (name: string) => string) => ({
      driver_id: [driver_id],
      event_ts: [`'${hoursAgo(hours)}'`],
      created: [created],
      ...Object.fromEntries(NAMES.map((name) => [name, [literalOf(name)]])),
    });
    const columns = row(LARGE, 3, `'${hoursAgo(1)}'`, (name) => TYPES[name]?.[1] ?? '');
    await feast.ask('write', { url, view: 'v', columns });
    const nulls = row('2', 2, 'None', (name) => (name === 'small' ? '5' : 'None'));
    await feast.ask('write', { url, view: 'v', columns: nulls });
    const entities = [LARGE, '2', '3'].map((driver_id) => ({ driver_id }));
    const read = (await feast.ask('remote', { url, features: NAMES.map((name) => `v:${name}`), entities })) as {
      readonly columns: Readonly<Record<string, unknown>>;
    };
    expect(read.columns).toEqual({
      driver_id: [LARGE, '2', '3'].map((key) => ['int', key, 'PRESENT']),
      ...Object.fromEntries(
        Object.entries(TYPES).map(([name, [, , type, repr]]) => [
          name,
          [[type, repr, 'PRESENT'], name === 'small' ? ['int', '5', 'PRESENT'] : NULL, MISSING],
        ]),
      ),
    });

    // A push goes to the views of its source; a later row by event time stays.
    const push = async (small: string, hours: number) =>
      await feast.ask('write', {
        url,
        pushSource: 'events',
        columns: {
          driver_id: ['1'],
          zone: ["'a'"],
          small: [small],
          event_ts: [`'${hoursAgo(hours)}'`],
          created: ['None'],
        },
      });
    await push('10', 1);
    await push('20', 2);
    const pushed = (await feast.ask('remote', {
      url,
      features: ['pairs:small'],
      entities: [{ driver_id: 1, zone: 'a' }],
    })) as typeof read;
    expect(pushed.columns['small']).toEqual([['int', '10', 'PRESENT']]);

    // What its client raises has our message.
    await side.define({ ...definitions, featureViews: [{ ...definitions.featureViews[0], name: 'other' }] });
    await expect(feast.ask('write', { url, view: 'other', columns })).rejects.toThrow(
      /^RuntimeError: Unable to write online store data using feature server API. Error_code=404, .*FEATURE_VIEW_NOT_FOUND/,
    );
  });
});
