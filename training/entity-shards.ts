/** Splitting entity rows by the hash of their join keys: rows of one entity are in one shard, which bounds the keys that it reads. */
import { sqlLiteral } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { type DatasetRecord, type EntityRelation, shardOfKeysSql } from '../features/index.js';
import type { Schema } from '../iceberg/index.js';
import { countShards, type ShardCount } from '../reduction/index.js';
import { MAX_SHARDS } from './training-set-request.js';

/** One shard of several. */
export interface EntityShard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** Memory of the engine for each entity row of one shard when nothing else is asked for: ten million rows with a limit of 4 GiB, of which it counts nine tenths. */
const MEMORY_BYTES_PER_ENTITY_ROW = 384n;

/** Shards of a training set of so many entity rows. */
export function shardsOfEntityRows(
  rows: bigint,
  sizing: Pick<ShardCount, 'shards' | 'spread' | 'memoryLimitBytes'>,
): number {
  return countShards({ ...sizing, rows, bytesPerRow: MEMORY_BYTES_PER_ENTITY_ROW, most: MAX_SHARDS });
}

/** Columns of the entity rows that any view of a retrieval is joined on, each once; the views without entities add none. */
export function shardColumns({ recipe }: Pick<DatasetRecord, 'recipe'>): readonly string[] {
  const { views, definitions } = recipe;
  const keys = views.flatMap(({ view, joinKeyMap }) => {
    const entities = definitions.featureViews.get(view)?.entities ?? [];
    const names = entities.flatMap((entity) => definitions.entities.get(entity)?.joinKeys ?? []);
    return names.map((name) => joinKeyMap.get(name) ?? name);
  });
  return [...new Set(keys)];
}

/**
 * The entity rows of one shard, duplicates and null keys included: every row is in exactly one.
 * @param columns names of the columns to split by; none: all of them
 */
export function rowsOfShard(entities: EntityRelation, columns: readonly string[], shard: EntityShard): EntityRelation {
  const { schema, relation } = entities;
  const names = schema.fields.map((_, index) => `c${index}`).join(', ');
  const { index, count } = shard;
  const own = shardOfRowSql(schema, columns, count);
  const condition = `${own} = ${sqlLiteral({ kind: 'long' }, BigInt(index))}`;
  return { ...entities, relation: `(SELECT ${names} FROM ${relation} AS e(${names}) WHERE ${condition})` };
}

/**
 * SQL of the shard of an entity row with columns `c0..`.
 * @param columns names of the columns to split by; none: all of them
 */
export function shardOfRowSql(schema: Schema, columns: readonly string[], shards: number): string {
  const keys =
    columns.length === 0 ? schema.fields.map((_, index) => index) : columns.map((name) => indexOf(schema, name));
  return shardOfKeysSql(
    keys.map((key) => `c${key}`),
    shards,
  );
}

function indexOf(schema: Schema, name: string): number {
  const index = schema.fields.findIndex((field) => field.name === name);
  if (index >= 0) return index;
  throw new MoraineError('COLUMN_NOT_FOUND', `The entity rows have no column '${name}' to be split by.`);
}
