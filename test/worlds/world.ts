/** A world: tables with a history, views on them, an entity frame, and a request; all of it from one seed. */
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { HistoricalAsOf } from '../../features/index.js';
import type { IcebergType, NestedField, Schema } from '../../iceberg/index.js';
import { Clock, FieldIds, featureType, KEY_KINDS, type KeyDomain, keyType, type Role, timeType } from './columns.js';
import { type Frame, randomFrame } from './frame.js';
import { Random } from './random.js';
import { DeletingHistory } from './table-deletes.js';
import type { TableState } from './table-history.js';
import { travel } from './time-travel.js';
import { randomView, type WorldView } from './view.js';

/** A source table. */
export interface WorldTable {
  readonly name: string;
  readonly history: DeletingHistory;
  readonly schema: Schema;
  /** The metadata file. */
  location: string;
  /** The state that the request reads; views are bound to the schema that the table has now. */
  read: TableState | undefined;
}

/** A view as the request asks for it. */
export interface RequestedView {
  readonly view: WorldView;
  readonly alias: string;
  /** Join key -> column of the frame. */
  readonly joinKeyMap: ReadonlyMap<string, string>;
  /** Names of features. Undefined: all. */
  readonly features: readonly string[] | undefined;
}

export interface World {
  /** The command that repeats it. */
  readonly seed: string;
  readonly tables: readonly WorldTable[];
  readonly views: readonly WorldView[];
  readonly requested: readonly RequestedView[];
  readonly frame: Frame;
  readonly fullFeatureNames: boolean;
  readonly knownAsOf: boolean;
  /** How the request says which states to read, if it does. */
  readonly asOf: HistoricalAsOf | undefined;
}

/** The events of worlds. */
export interface WorldOptions {
  /** Row-level deletes besides copy-on-write. */
  readonly deletes: boolean;
  /** Tables of version 1, unknown transforms, files imported without field ids. */
  readonly varied: boolean;
  /** Data and delete files in Avro. */
  readonly avro: boolean;
}

/** Makes the world of a seed; its files are in `folder`. */
export async function makeWorld(
  seed: string,
  folder: string,
  duckdb: DuckDBConnection,
  options: WorldOptions,
): Promise<World> {
  const random = new Random(seed);
  const clock = new Clock(random);
  const skew = new Random(`${seed} skew`);
  const isSkewed = skew.chance(0.25);
  const keys = random
    .some(Object.keys(KEY_KINDS) as KeyDomain['kind'][], 1, 3)
    .map((kind, index): KeyDomain => ({ name: `key${index}`, kind, values: valuesOf(kind, isSkewed) }));
  const tables: WorldTable[] = [];
  for (let index = random.int(1, 2); index > 0; index--) {
    tables.push(await randomTable(random, clock, keys, `t${index}`, join(folder, `t${index}`), duckdb, options));
  }
  const asOf = random.chance(0.35) ? travel(random, tables) : undefined;
  for (const table of tables) table.location = await table.history.writer.finish();
  const views = Array.from({ length: random.int(1, 3) }, (_, index) => randomView(random, random.pick(tables), index));
  const requested = views.flatMap((view) => requestsOf(random, view));
  const knownAsOf = views.every((view) => view.created !== undefined) && random.chance(0.4);
  const frequent = isSkewed ? skew : undefined;
  const frame = await randomFrame(random, clock, requested, join(folder, 'frame'), duckdb, frequent);
  const bare = [...frame.columns.map(({ name }) => name), ...requested.flatMap((r) => selectedNames(r))];
  const fullFeatureNames = new Set(bare).size < bare.length || random.chance(0.3);
  return { seed, tables, views, requested, frame, fullFeatureNames, knownAsOf, asOf };
}

/** Values of a key; if skewed, most draws are of the first. */
function valuesOf(kind: KeyDomain['kind'], isSkewed: boolean): KeyDomain['values'] {
  const values = KEY_KINDS[kind];
  const [first] = values;
  return isSkewed && first !== undefined ? [...values.flatMap(() => [first, first]), ...values] : values;
}

/** The names of the features that a request asks for, in its order. */
export function selectedNames({ view, features }: RequestedView): readonly string[] {
  return features ?? view.features.map((feature) => feature.name);
}

/** A view once, or twice under other names with other columns of the frame as its keys. */
function requestsOf(random: Random, view: WorldView): RequestedView[] {
  const names = view.features.map((feature) => feature.name);
  const features = random.chance(0.3) ? undefined : random.some(names, 1, names.length);
  const plain = { view, alias: view.name, joinKeyMap: new Map<string, string>(), features };
  if (view.keys.length === 0 || random.chance(0.75)) return [plain];
  const renamed = new Map(view.keys.map((key) => [key.domain.name, `${key.domain.name}_other`]));
  return [plain, { view, alias: `${view.name}_again`, joinKeyMap: renamed, features }];
}

async function randomTable(
  random: Random,
  clock: Clock,
  keys: readonly KeyDomain[],
  name: string,
  location: string,
  duckdb: DuckDBConnection,
  options: WorldOptions,
): Promise<WorldTable> {
  const formatVersion = options.varied && random.chance(0.2) ? 1 : random.chance(0.5) ? 3 : 2;
  const ids = new FieldIds();
  const fields: NestedField[] = [];
  const roles = new Map<number, Role>();
  const add = (column: string, type: IcebergType, role?: Role): void => {
    const id = ids.next();
    fields.push({ id, name: column, required: false, type });
    if (role !== undefined) roles.set(id, role);
  };
  for (const key of random.chance(0.1) ? [] : random.some(keys, 1, keys.length)) {
    add(random.chance(0.5) ? key.name : `${name} ${key.name}`, keyType(random, key), { kind: 'key', key });
  }
  add(random.pick(['event_timestamp', 'at', 'event "time"']), timeType(random, formatVersion), { kind: 'time' });
  if (random.chance(0.6)) add('created', timeType(random, formatVersion), { kind: 'created' });
  for (let index = random.int(1, 4); index > 0; index--) {
    add(`${name}_f${index}`, featureType(random, ids, formatVersion));
  }
  const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields: random.shuffle(fields) };
  const history = new DeletingHistory(random, duckdb, clock, {
    location,
    formatVersion,
    schema,
    roles,
    ids,
    isVaried: options.varied,
    hasAvro: options.avro,
  });
  await history.writer.prepare();
  if (!random.chance(0.03)) await history.append(random.int(1, 25));
  for (let step = random.int(0, 6); step > 0; step--) await randomStep(random, history, options);
  const { schema: current } = history.writer;
  return { name: `demo.${name}`, history, schema: current, location: '', read: history.states.at(-1) };
}

async function randomStep(random: Random, history: DeletingHistory, options: WorldOptions): Promise<void> {
  const steps: readonly (readonly [number, () => void | Promise<void>])[] = [
    [5, () => history.append(random.int(1, 12))],
    [4, () => history.evolveSchema()],
    [1.5, () => history.evolveSpec()],
    [1.5, () => history.copyOnWrite()],
    [1, () => history.compact()],
    [history.writer.formatVersion === 1 ? 3 : 0.5, () => history.upgrade()],
  ];
  const deletes: typeof steps = [
    [4, () => history.deletePositions()],
    [4, () => history.deleteEqual()],
  ];
  const step = random.weighted(options.deletes ? [...steps, ...deletes] : steps);
  await step();
}
