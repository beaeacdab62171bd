/** The body of `POST /get-online-features` as an online read. */
import { MoraineError } from '../errors/index.js';
import type { OnlineRequest } from '../online/index.js';
import type { EntityColumns } from './answer-json.js';
import { columnLength, type SelectionFields, selectionOf } from './body-parts.js';

/** A body that its schema allows. */
export interface OnlineBody extends SelectionFields {
  readonly entities: Readonly<Record<string, readonly unknown[]>>;
  readonly full_feature_names?: boolean;
  readonly include_feature_view_version_metadata?: boolean;
}

export interface OnlineBodyRead {
  readonly columns: EntityColumns;
  readonly request: Pick<OnlineRequest, 'entities' | 'features' | 'service' | 'fullFeatureNames'>;
}

/**
 * The entities of a body row by row, and what to read of them. Without any column there is one entity, which has no keys.
 * @throws INVALID_ARGUMENT, LIMIT_EXCEEDED
 */
export function readOnlineBody(body: OnlineBody, maxEntities: number): OnlineBodyRead {
  const columns = new Map(Object.entries(body.entities));
  const count = entityCount(columns, maxEntities);
  const entities = Array.from({ length: count }, (_, row) => {
    const entity: Record<string, unknown> = {};
    for (const [name, column] of columns) entity[name] = column[row];
    return entity;
  });
  const fullFeatureNames = body.full_feature_names ?? false;
  return { columns, request: { entities, ...selectionOf(body, 'The body'), fullFeatureNames } };
}

function entityCount(columns: EntityColumns, maxEntities: number): number {
  if (columns.has('__proto__'))
    throw new MoraineError(
      'INVALID_ARGUMENT',
      "The body's entities have a column '__proto__'; no join key has that name.",
    );
  const count = columnLength(columns, "The body's entities have") ?? 1;
  if (count <= maxEntities) return count;
  throw new MoraineError(
    'LIMIT_EXCEEDED',
    `The request has ${count} entities, and may have ${maxEntities} (server.maxEntities). Ask for fewer at once.`,
  );
}
