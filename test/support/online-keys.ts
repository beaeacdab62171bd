/** Entities of tables with random lives: plain numbers here, keys of several kinds in the tables. */
import { quoteLiteral } from '../../engine/index.js';
import { applyTransform, type IcebergType, type NestedField } from '../../iceberg/index.js';
import { encodeEntityKey, ONLINE_COLUMNS } from '../../online/index.js';
import type { Random } from '../worlds/random.js';

export type KeyKind = 'long' | 'string' | 'two';

/** In several hours, of the past and of the future. */
export const TIMES = [100, 300, 3_600, 4_000, 7_300, 11_999, 12_000, 12_001, 20_000];
export const ENTITIES = 10;

const LONG: IcebergType = { kind: 'long' };
const STRING: IcebergType = { kind: 'string' };

/** Entity, event time and created time of a row. */
export interface Place {
  readonly entity: number;
  readonly at: number;
  readonly created: number | null;
}

export function joinKeysOf(kind: KeyKind): readonly string[] {
  return kind === 'two' ? ['a', 'k'] : ['k'];
}

/** Fields of the keys in a source table. @param firstId of the fields */
export function keyFields(kind: KeyKind, firstId: number): readonly NestedField[] {
  const types = kind === 'two' ? [STRING, LONG] : [kind === 'string' ? STRING : LONG];
  const names = joinKeysOf(kind);
  return types.map((type, place) => ({ id: firstId + place, name: names[place] ?? '', required: false, type }));
}

export function entityOf(kind: KeyKind, number: number): Readonly<Record<string, unknown>> {
  if (kind === 'two') return { a: `a${number % 3}`, k: number };
  return { k: kind === 'string' ? `key-é-${number}` : number };
}

function encodedKey(number: number): string {
  const parts = [
    { name: 'a', type: STRING },
    { name: 'k', type: LONG },
  ];
  return encodeEntityKey(parts, [`a${number % 3}`, BigInt(number)]);
}

/** SQL of an entity's value in a column of the key; undefined: the column is none of the key. */
export function keySql(kind: KeyKind, number: number, column: string): string | undefined {
  if (column === ONLINE_COLUMNS.entityKey) return quoteLiteral(encodedKey(number));
  if (!joinKeysOf(kind).includes(column)) return undefined;
  const value = entityOf(kind, number)[column];
  return typeof value === 'string' ? quoteLiteral(value) : `${String(value)}::BIGINT`;
}

/** Columns of an online table that tell entities apart. */
export function lookupColumns(kind: KeyKind): readonly (readonly string[])[] {
  return kind === 'two' ? [['a', 'k'], [ONLINE_COLUMNS.entityKey]] : [['k']];
}

export function bucketOfEntity(kind: KeyKind, number: number, numBuckets: number): number {
  const transform = { kind: 'bucket', numBuckets } as const;
  if (kind === 'two') return Number(applyTransform(transform, STRING, encodedKey(number)));
  const { k } = entityOf(kind, number);
  return Number(
    typeof k === 'string' ? applyTransform(transform, STRING, k) : applyTransform(transform, LONG, BigInt(Number(k))),
  );
}

export function timeSql(seconds: number | null): string {
  return seconds === null ? 'NULL::TIMESTAMPTZ' : `make_timestamptz(${seconds * 1e6})`;
}

/** Places of the rows of a commit. Some tie in everything with rows of the same commit or of earlier ones. */
export function drawPlaces(random: Random, earlier: readonly Place[], nextNumber: () => number): readonly Place[] {
  let last: Place | undefined;
  return Array.from({ length: random.int(1, 6) }, (): Place => {
    const other = earlier.length > 0 && random.chance(0.3) ? random.pick(earlier) : undefined;
    const place = last !== undefined && random.chance(0.3) ? last : other;
    const [entity, at] = [random.int(0, ENTITIES - 1), random.pick(TIMES)];
    last = place ?? { entity, at, created: random.pick([null, 1, 2, nextNumber()]) };
    return last;
  });
}
