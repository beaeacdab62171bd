/** The entity rows of a training set, as a backfill cuts them into windows. */
import { MoraineError } from '../errors/index.js';
import { entityTimestamp } from '../features/index.js';
import type { Schema } from '../iceberg/index.js';
import type { Table } from '../tables/index.js';
import type { TrainingSetRequest } from '../training/index.js';
import type { BackfillPlan } from './plan.js';
import { sourceSizes } from './plan-backfill.js';
import type { WindowRange } from './windows.js';

/** The entity rows that each window reads. */
export function entitySizes(
  source: Table,
  schema: Schema,
  snapshotId: bigint | null,
  range: WindowRange,
): Promise<Pick<BackfillPlan, 'windows' | 'files'>> {
  return sourceSizes(source, snapshotId, entityColumn(schema), range);
}

/** The time of entity rows, as windows filter them. @throws INVALID_ARGUMENT for a date; COLUMN_NOT_FOUND, TYPE_MISMATCH */
export function entityColumn(schema: Schema): { readonly sourceFieldId: number; readonly sourceColumn: string } {
  const { id, name, type } = entityTimestamp(schema.fields);
  if (type.kind !== 'date') return { sourceFieldId: id, sourceColumn: name };
  throw invalid(`the time '${name}' of the entity rows is a date; windows need a timestamp`);
}

/** The table with the entity rows. @throws INVALID_ARGUMENT if they are somewhere else, or for shards */
export function entityTable({ entities, shards }: TrainingSetRequest): string {
  if (shards !== undefined) throw invalid('a backfill has windows and no shards: leave "shards" out');
  if ('table' in entities) return entities.table;
  throw invalid('a backfill reads its entity rows from a table: write them to one first (moraine table append)');
}

const invalid = (message: string): MoraineError => new MoraineError('INVALID_ARGUMENT', message);
