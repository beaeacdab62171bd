/** What `moraine feast export` and `serve --feast-registry` write, opened by the unmodified Feast. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createMoraine } from '../../client/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { startService } from '../../service/index.js';
import { moraineOk } from '../support/cli.js';
import { feastProgram } from '../support/feast.js';
import { FeatureLab } from '../support/feature-lab.js';
import { describeInterop } from '../support/python.js';

/** Features: their types here, values in SQL, and Feast's types, by hand from feast/types.py. */
const TYPES: Readonly<Record<string, readonly [type: string, sql: string, feast: string]>> = {
  flag: ['boolean', 'true', 'Bool'],
  small: ['int', '-7', 'Int32'],
  large: ['long', '9007199254740993', 'Int64'],
  single: ['float', '0.5', 'Float32'],
  huge: ['double', '1e300', 'Float64'],
  text: ['string', "'x'", 'String'],
  bytes: ['binary', "'\\x01'::BLOB", 'Bytes'],
  day: ['date', "'2026-03-01'", 'UnixTimestamp'],
  moment: ['timestamptz', "'2026-03-01 10:00:00Z'", 'UnixTimestamp'],
  id: ['uuid', "'00000000-0000-0000-0000-000000000001'", 'Uuid'],
  price: ['decimal(9, 2)', '12.50', 'Decimal'],
  longs: ['list<long>', '[1, 2]', 'Array(Int64)'],
  moments: ['list<timestamptz>', "['2026-03-01 10:00:00Z']", 'Array(UnixTimestamp)'],
  pair: ['struct<a: int>', "{'a': 1}", 'Struct({_value: String})'],
  grid: ['list<list<int>>', '[[1]]', 'Array(Array(String))'],
};
const EVENT = '2026-03-01T10:00:00Z';

interface Opened {
  readonly project: string;
  readonly views: Readonly<Record<string, { readonly features: Readonly<Record<string, string>> }>>;
  readonly online?: Readonly<Record<string, readonly unknown[]>>;
  readonly [part: string]: unknown;
}

describeInterop('a repository for Feast', () => {
  test('is opened by Feast as it is, and follows the definitions', { timeout: 300_000 }, async () => {
    const lab = await FeatureLab.open();
    const { folder } = lab;
    const columns = Object.fromEntries(Object.entries(TYPES).map(([name, [type]]) => [name, type]));
    const keys = { driver_id: 'long', zone: 'string', event_ts: 'timestamptz', created: 'timestamptz' };
    await lab.createTable('demo.t', { ...keys, ...columns });
    const values = Object.entries(TYPES).map(([name, [, sql]]) => `${sql} AS ${name}`);
    await lab.append(
      'demo.t',
      `SELECT 1 AS driver_id, 'a' AS zone, '${EVENT}'::TIMESTAMPTZ AS event_ts, '${EVENT}'::TIMESTAMPTZ AS created, ${values.join(', ')}`,
    );
    const source = { table: 'demo.t', timestampField: 'event_ts', createdTimestampField: 'created' };
    const definitions = {
      entities: [
        { name: 'driver', joinKeys: ['driver_id'], description: 'Who drives.' },
        { name: 'place', joinKeys: ['driver_id', 'zone'] },
      ],
      featureViews: [
        {
          name: 'types',
          entities: ['driver'],
          source,
          online: true,
          ttl: '36500d',
          features: Object.keys(TYPES),
          description: 'Of every type.',
          tags: { team: 'x' },
        },
        {
          name: 'zones',
          entities: ['place'],
          source: { ...source, fieldMapping: { small: 'trips' } },
          online: true,
          features: ['trips'],
          pushSource: 'rides',
        },
        { name: 'global', entities: [], source, online: false, features: ['large'], pushSource: 'rides' },
      ],
      featureServices: [
        {
          name: 'model',
          features: [
            { view: 'types', features: ['large', 'text'] },
            { view: 'zones', alias: 'z' },
          ],
        },
      ],
    };
    const config = {
      catalogs: { main: { uri: 'catalog.db', warehouse: 'warehouse' } },
      engine: { threads: 1 },
      online: { readTimeoutMs: 60_000 },
      server: { port: 0 },
    };
    writeFileSync(join(folder, 'moraine.yaml'), JSON.stringify(config));
    const moraine = await createMoraine({ cwd: folder });
    await moraine.apply(definitions);
    lab.define(definitions);
    for (const view of ['types', 'zones']) await materializeDirect({ ...lab.deps, catalog: lab.catalog }, { view });

    const repository = join(folder, 'feast_repo');
    const service = await startService({
      ...{ project: moraine.project, version: '', log: { write: () => undefined } },
    });
    try {
      await moraineOk(['feast', 'export', repository, '--url', service.url, '--project', 'rides'], { cwd: folder });
      const question = {
        features: ['types:large', 'types:text', 'zones:trips'],
        rows: [
          { driver_id: 1, zone: 'a' },
          { driver_id: 2, zone: 'a' },
        ],
      };
      const opened = await feastProgram<Opened>(
        'test/interop/programs/feast_export.py',
        repository,
        JSON.stringify(question),
      );
      const feastTypes = Object.fromEntries(Object.entries(TYPES).map(([name, [, , feast]]) => [name, feast]));
      const table = { class: 'IcebergSource', name: 'demo.t', table: 'demo.t', catalog: ['sql', 'main'] };
      const times = { timestamp: 'event_ts', created: 'created' };
      expect(opened).toEqual({
        project: 'rides',
        projects: ['rides'],
        // Feast lists neither the entity of views without one nor its name in them.
        entities: { driver: 'driver_id', place__driver_id: 'driver_id', place__zone: 'zone' },
        views: {
          types: {
            ...{ entities: ['driver'], keys: { driver_id: 'Int64' }, features: feastTypes, ttl: 36500 * 86_400 },
            ...{
              online: true,
              description: 'Of every type.',
              tags: { team: 'x' },
              source: { ...table, ...times, mapping: {} },
              push: null,
            },
          },
          zones: {
            ...{ entities: ['place__driver_id', 'place__zone'], keys: { driver_id: 'Int64', zone: 'String' } },
            ...{ features: { trips: 'Int32' }, ttl: 0, online: true, description: '', tags: {} },
            source: { ...table, ...times, mapping: { small: 'trips' } },
            push: ['PushSource', 'rides', true],
          },
          global: {
            ...{ entities: [], keys: {}, features: { large: 'Int64' }, ttl: 0, online: false },
            ...{ description: '', tags: {}, source: { ...table, ...times, mapping: {} } },
            push: ['PushSource', 'rides', true],
          },
        },
        pushSources: ['rides'],
        services: {
          model: [
            ['types', ['large', 'text'], {}],
            ['z', ['trips'], {}],
          ],
        },
        // PyIceberg opens the table by the source.
        columns: expect.objectContaining({ driver_id: 'long', large: 'long' }) as object,
        online: {
          ...{ driver_id: ['1', '2'], zone: ["'a'", "'a'"], large: ['9007199254740993', 'None'] },
          ...{ text: ["'x'", 'None'], trips: ['-7', 'None'] },
        },
      });
    } finally {
      await service.close();
    }

    const path = join(repository, 'registry.db');
    const before = readFileSync(path);
    const following = await startService({
      ...{ project: moraine.project, version: '', log: { write: () => undefined } },
      feastRegistry: { path, feastProject: 'rides' },
    });
    try {
      const view = { name: 'later', entities: ['driver'], source, online: true, features: ['huge'] };
      await moraine.apply({ ...definitions, featureViews: [...definitions.featureViews, view] });
      await expect.poll(() => readFileSync(path).includes('later'), { timeout: 20_000 }).toBe(true);
      expect(before.includes('later')).toBe(false);
      const { views } = await feastProgram<Opened>('test/interop/programs/feast_export.py', repository, 'null');
      expect(views['later']?.features).toEqual({ huge: 'Float64' });
      expect(Object.keys(views)).toHaveLength(4);
    } finally {
      await following.close();
      await moraine.close();
      await lab.close();
    }
  });
});
