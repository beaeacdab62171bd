/**
 * The random worlds through the real Feast (its DuckDB offline store; the live rows as plain Parquet): row by row what the nested loops
 * give and Moraine gives. Left out is what Feast does otherwise, named in `feature-semantics`: times of nanoseconds, views
 * without keys, `knownAsOf`; the order of rows; and of rows tied in event time and `created`, which Feast takes at random, any will do.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { openEngine } from '../../engine/index.js';
import type { IcebergType, NestedField } from '../../iceberg/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { feastProgram } from '../support/feast.js';
import { describeInterop } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { actualAnswer, expectedAnswer } from '../worlds/answers.js';
import { isNanoseconds } from '../worlds/columns.js';
import { writeParquet } from '../worlds/data-file.js';
import { type OracleRow, pointInTime, sameKey } from '../worlds/oracle.js';
import { compareValue } from '../worlds/order.js';
import { printed } from '../worlds/printed.js';
import { fieldValue } from '../worlds/rows.js';
import type { PlainValue, Value } from '../worlds/values.js';
import { keyValue, oracleRows, type WorldView } from '../worlds/view.js';
import { makeWorld, type RequestedView, selectedNames, type World } from '../worlds/world.js';

const WORLDS = 300;

/** The questions that Feast and its entity frame of pandas can answer. */
function comparable(world: World): World | undefined {
  const requested = world.requested.filter(({ view }) => {
    const times = [view.time, ...(view.created === undefined ? [] : [view.created])];
    const isJoinable = view.keys.every(({ domain }) => domain.kind === 'integer' || domain.kind === 'string');
    return view.keys.length > 0 && isJoinable && !times.some(({ type }) => isNanoseconds(type));
  });
  const needed = new Set(requested.flatMap(frameNames));
  const rows = world.frame.rows
    .filter(({ timeNs }) => timeNs !== null && timeNs % 1000n === 0n)
    .map((row) => ({ ...row, keys: new Map([...row.keys].filter(([name]) => needed.has(name))) }));
  if (requested.length === 0 || rows.length === 0) return undefined;
  return { ...world, requested, frame: { ...world.frame, rows } };
}

const frameNames = ({ view, joinKeyMap }: RequestedView): string[] =>
  view.keys.map(({ domain }) => joinKeyMap.get(domain.name) ?? domain.name);

/** Writes what Feast reads, and describes it. */
async function forFeast(world: World, folder: string, duckdb: DuckDBConnection): Promise<unknown> {
  mkdirSync(folder, { recursive: true });
  const views = [...new Set(world.requested.map(({ view }) => view))];
  const described = [];
  for (const view of views) described.push(await describeView(view, join(folder, `${view.name}.parquet`), duckdb));
  const kinds = new Map(
    world.requested.flatMap((request) =>
      request.view.keys.map(({ domain }, index) => [frameNames(request)[index] ?? '', domain.kind] as const),
    ),
  );
  const column = (name: string, kind: 'long' | 'string' | 'timestamptz', id: number): NestedField => ({
    id,
    name,
    required: false,
    type: { kind },
  });
  const keys = [...kinds].map(([name, kind], index) => column(name, kind === 'integer' ? 'long' : 'string', index + 3));
  const fields = [column('row', 'long', 1), column('event_timestamp', 'timestamptz', 2), ...keys];
  const rows = world.frame.rows.map((row, index): Value[] => [
    BigInt(index),
    (row.timeNs as bigint) / 1000n,
    ...keys.map(({ name }) => row.keys.get(name) ?? null),
  ]);
  const entities = join(folder, 'entities.parquet');
  await writeParquet(duckdb, entities, fields, rows);
  const requests = world.requested.map((request) => ({
    view: request.view.name,
    alias: request.alias,
    features: selectedNames(request),
    joinKeyMap: Object.fromEntries(request.joinKeyMap),
  }));
  return { folder, entities, views: described, requests };
}

async function describeView(view: WorldView, path: string, duckdb: DuckDBConnection): Promise<unknown> {
  const { fields } = view.table.schema;
  const rows = (view.table.read?.rows ?? []).map(({ row }) => fields.map((field) => fieldValue(row.values, field)));
  await writeParquet(duckdb, path, fields, rows);
  const name = (field: NestedField): string => view.fieldMapping.get(field.name) ?? field.name;
  return {
    name: view.name,
    path,
    keys: view.keys.map(({ domain }) => domain.name),
    timestamp: name(view.time),
    created: view.created === undefined ? null : name(view.created),
    ttlMs: view.ttlMs ?? null,
    features: view.features.map((feature) => feature.name),
    mapping: Object.fromEntries(view.fieldMapping),
  };
}

/** For each feature of each entity row the values that Feast may give: one, or those of rows that it does not tell apart. */
function allowed(world: World): ReadonlyMap<string, readonly string[]>[] {
  return world.frame.rows.map(({ keys, timeNs }) => {
    const features = new Map<string, readonly string[]>();
    for (const request of world.requested) {
      const { view } = request;
      const key = frameNames(request).map((name, index) =>
        keyValue((view.keys[index] as WorldView['keys'][number]).domain, (keys.get(name) ?? null) as PlainValue),
      );
      const ttlNs = (view.ttlMs ?? 0) === 0 ? null : BigInt(view.ttlMs ?? 0) * 1_000_000n;
      const source = oracleRows(view);
      const found = pointInTime(source, key, timeNs, { ttlNs, knownAsOf: false });
      const tied = source.filter((row) => found !== undefined && sameKey(row.key, key) && isTied(row, found));
      for (const name of selectedNames(request)) {
        const index = view.features.findIndex((feature) => feature.name === name);
        // Feast reads the file's own type, not the one that the view declares.
        const type = (view.features[index] as WorldView['features'][number]).field.type;
        const values = (found === undefined ? [null] : tied.map((row) => row.features[index] ?? null)) as PlainValue[];
        const texts = values.map((value) => JSON.stringify(printed(value, type)));
        // A uuid is a text in Feast.
        const alsoAsText = type.kind === 'uuid' ? values.map((value) => JSON.stringify(value)) : [];
        const alsoAsTime = isNanoseconds(type) ? values.map((value) => JSON.stringify(timeText(value, type))) : [];
        features.set(`${request.alias}__${name}`, [...texts, ...alsoAsText, ...alsoAsTime]);
      }
    }
    return features;
  });
}

/** Nanoseconds as Arrow writes them, when a column of theirs becomes one of text in Feast. */
function timeText(value: PlainValue, { kind }: IcebergType): string | null {
  if (value === null) return null;
  const ns = ((((value as bigint) % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n).toString().padStart(9, '0');
  const seconds = ((value as bigint) - BigInt(ns)) / 1_000_000_000n;
  const clock = new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace('T', ' ');
  return `${clock}.${ns}${kind === 'timestamptz_ns' ? 'Z' : ''}`;
}

const isTied = (a: OracleRow, b: OracleRow): boolean =>
  a.timeNs === b.timeNs && compareValue(a.createdNs, b.createdNs) === 0;

describeInterop('random worlds and the real Feast', () => {
  test('give the same rows', { timeout: 600_000 }, async () => {
    const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
    const folder = temporaryFolder();
    const io = new LocalFileIO({ roots: [folder] });
    const limits = { memoryLimitBytes: 512 * 2 ** 20, threads: 2 };
    const engine = await openEngine({ ...limits, tempDirectory: join(folder, 'tmp'), allowedDirectories: [folder] });
    const worlds: World[] = [];
    const described: unknown[] = [];
    for (let index = 0; index < WORLDS; index++) {
      const whole = await makeWorld(`feast/${index}`, join(folder, `${index}`), duckdb, {
        deletes: true,
        varied: true,
        avro: true,
      });
      const world = comparable(whole);
      if (world === undefined) continue;
      expect(await actualAnswer(whole, { io, engine }, undefined), whole.seed).toEqual(expectedAnswer(whole));
      worlds.push(world);
      described.push(await forFeast(world, join(folder, `${index}/feast`), duckdb));
    }
    await engine.close();
    const list = join(folder, 'worlds.json');
    writeFileSync(list, JSON.stringify(described));
    const answers = await feastProgram<Record<string, unknown>[][]>('test/interop/programs/feast_worlds.py', list);
    let compared = 0;
    for (const [index, world] of worlds.entries()) {
      const name = `${world.seed}\n${world.tables.flatMap(({ history }) => history.steps).join('\n')}`;
      const rows = answers[index] ?? [];
      expect(
        rows.map((row) => row.row),
        name,
      ).toEqual(world.frame.rows.map((_, row) => String(row)));
      for (const [row, features] of allowed(world).entries()) {
        for (const [feature, values] of features) {
          expect(values, `${name}\nrow ${row}, ${feature}`).toContain(JSON.stringify(rows[row]?.[feature]));
          compared += values.includes('null') ? 0 : 1;
        }
      }
    }
    expect(compared).toBeGreaterThan(300);
  });
});
