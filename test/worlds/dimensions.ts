/** The features of random worlds: the worlds of a test that have each are counted, so that none silently disappears. */
import { isNanoseconds } from './columns.js';
import type { FrameKind } from './frame.js';
import type { FileForm, HeldFile } from './table-history.js';
import { oracleRows } from './view.js';
import type { World, WorldTable } from './world.js';

/** In at least so many of 200 worlds. */
export const LEAST_OF_200 = {
  'version 1': 25,
  'version 2': 50,
  'version 3': 50,
  'a version that was 1': 4,
  'manifests listed by the snapshot': 8,
  'a transform that is not known': 12,
  'Parquet files': 150,
  'Avro files': 50,
  'files without field ids': 45,
  'columns that only the partition tells': 12,
  'position deletes': 18,
  'deletion vectors': 25,
  'equality deletes': 45,
  'delete files in Avro': 12,
  'an evolved schema': 45,
  'an evolved spec': 25,
  'copy on write': 25,
  compaction: 15,
  'objects as entity rows': 16,
  'a relation as entity rows': 16,
  'an Iceberg table as entity rows': 20,
  'SQL as entity rows': 7,
  'CSV as entity rows': 14,
  'JSON Lines as entity rows': 14,
  'Arrow as entity rows': 14,
  'zoned nanoseconds of Arrow': 4,
  'entity rows with a zone': 60,
  'nanoseconds beside microseconds': 50,
  'as of snapshots': 5,
  'as of a time': 8,
  'as of a tag': 5,
  'as of a branch': 5,
  'known as of': 18,
  'a ttl': 100,
  'ties in event time': 60,
  'entity rows that repeat': 80,
  'a frequent entity': 25,
  'null keys': 70,
  'an alias with other join keys': 40,
  'mapped fields': 100,
} as const;

export type Dimension = keyof typeof LEAST_OF_200;

const FRAMES: Readonly<Record<FrameKind, Dimension>> = {
  objects: 'objects as entity rows',
  relation: 'a relation as entity rows',
  table: 'an Iceberg table as entity rows',
  query: 'SQL as entity rows',
  csv: 'CSV as entity rows',
  jsonl: 'JSON Lines as entity rows',
  arrow: 'Arrow as entity rows',
};

const FORMS: Readonly<Record<FileForm, Dimension>> = {
  parquet: 'Parquet files',
  avro: 'Avro files',
  imported: 'files without field ids',
};

const STEPS: readonly (readonly [RegExp, Dimension])[] = [
  [/^upgrade from 1/, 'a version that was 1'],
  [/^delete positions/, 'position deletes'],
  [/^delete vectors/, 'deletion vectors'],
  [/^delete equal/, 'equality deletes'],
  [/^delete (positions in|equal .* by) \S*\.avro/, 'delete files in Avro'],
  [/^schema/, 'an evolved schema'],
  [/^spec/, 'an evolved spec'],
  [/^copy on write/, 'copy on write'],
  [/^compact/, 'compaction'],
];

/** The features of a world in the tables and states that its request reads. */
export function dimensionsOf(world: World): ReadonlySet<Dimension> {
  const tables = new Set(world.requested.map(({ view }) => view.table));
  return new Set([...[...tables].flatMap(ofTable), ...ofFrame(world), ...ofRequest(world)]);
}

function ofTable({ history, read }: WorldTable): Dimension[] {
  const { writer, steps } = history;
  const files = read?.files ?? [];
  const specOf = ({ file }: HeldFile) => writer.specs.find(({ specId }) => specId === file.specId);
  const isUnknown = (held: HeldFile) => specOf(held)?.fields.some(({ transform }) => transform.kind === 'unknown');
  return [
    `version ${writer.formatVersion}`,
    ...given('manifests listed by the snapshot', writer.isInline && files.length > 0),
    ...given('a transform that is not known', files.some(isUnknown)),
    ...files.map(({ form }) => FORMS[form]),
    ...given(
      'columns that only the partition tells',
      files.some(({ leavesIdentity }) => leavesIdentity),
    ),
    ...STEPS.filter(([step]) => steps.some((one) => step.test(one))).map(([, dimension]) => dimension),
  ];
}

function ofFrame({ frame, requested }: World): Dimension[] {
  const times = frame.columns.filter(({ name }) => name === 'event_timestamp' || name === 'when');
  const hasZone = times.some(({ type }) => type.kind.startsWith('timestamptz'));
  const hasNanoseconds = times.some(({ type }) => isNanoseconds(type));
  const isOther = requested.some(({ view }) => isNanoseconds(view.time.type) !== hasNanoseconds);
  return [
    FRAMES[frame.kind],
    ...given('entity rows with a zone', hasZone),
    ...given('zoned nanoseconds of Arrow', frame.kind === 'arrow' && hasZone && hasNanoseconds),
    ...given('nanoseconds beside microseconds', isOther),
    ...given('entity rows that repeat', new Set(frame.rows).size < frame.rows.length),
    ...given(
      'a frequent entity',
      frame.rows.some((row) => frame.rows.filter((other) => other === row).length > 9),
    ),
    ...given(
      'null keys',
      frame.rows.some(({ keys }) => [...keys.values()].includes(null)),
    ),
  ];
}

function ofRequest({ asOf, knownAsOf, requested }: World): Dimension[] {
  const isTag = requested.some(({ view }) =>
    [...view.table.history.writer.refs.values()].some((r) => r.type === 'tag'),
  );
  return [
    ...given('as of snapshots', asOf !== undefined && 'snapshots' in asOf),
    ...given('as of a time', asOf !== undefined && 'asOfMs' in asOf),
    ...given(isTag ? 'as of a tag' : 'as of a branch', asOf !== undefined && 'ref' in asOf),
    ...given('known as of', knownAsOf),
    ...given(
      'a ttl',
      requested.some(({ view }) => (view.ttlMs ?? 0) > 0),
    ),
    ...given(
      'ties in event time',
      requested.some(({ view }) => hasTies(oracleRows(view))),
    ),
    ...given(
      'an alias with other join keys',
      requested.some(({ joinKeyMap }) => joinKeyMap.size > 0),
    ),
    ...given(
      'mapped fields',
      requested.some(({ view }) => view.fieldMapping.size > 0),
    ),
  ];
}

const given = (dimension: Dimension, isThere: boolean): Dimension[] => (isThere ? [dimension] : []);

function hasTies(rows: ReturnType<typeof oracleRows>): boolean {
  const moments = rows.flatMap(({ key, timeNs }) => (timeNs === null ? [] : [[...key, timeNs].map(String).join(' ')]));
  return new Set(moments).size < moments.length;
}
