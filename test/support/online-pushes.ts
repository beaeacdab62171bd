/** Pushes of rows to a push source of one view. */
import type { PushTarget, PushTo } from '../../client/push-plan.js';
import { pushRows } from '../../client/push-rows.js';
import { sqlType } from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { NestedField } from '../../iceberg/index.js';
import type { MaterializationDeps } from '../../materialization/index.js';
import { type BatchRows, writeOnlineBatch } from '../../online/index.js';
import type { PushedRow } from './online-source.js';

/** Pushes rows. @returns what became of it */
export async function pushOnline(
  deps: MaterializationDeps,
  push: { readonly source: string; readonly to: PushTo },
  pushed: readonly PushedRow[],
): Promise<'committed' | 'MATERIALIZATION_REQUIRED'> {
  const open = () => Promise.resolve((target: PushTarget) => rowsFor(target, pushed));
  const pushing = pushRows(
    { ...deps, writeOnline: (view, { rows, ...options }) => writeOnlineBatch(deps, { ...rows, ...options, view }) },
    { ...push, input: { open } },
  );
  return await pushing.then(() => 'committed' as const, unlessRequired);
}

/** @throws any other error than that the view must be materialized first */
export function unlessRequired(error: unknown): 'MATERIALIZATION_REQUIRED' {
  if (isMoraineError(error, 'MATERIALIZATION_REQUIRED')) return 'MATERIALIZATION_REQUIRED';
  throw error;
}

function rowsFor({ columnOf }: PushTarget, pushed: readonly PushedRow[]): BatchRows {
  return {
    open: (_, { schema }) => {
      const select = pushed.map(({ sql }) => {
        const column = ({ name, type }: NestedField): string =>
          `CAST(${sql.get(columnOf.get(name) ?? '') ?? 'NULL'} AS ${sqlType(type)})`;
        return `SELECT ${schema.fields.map(column).join(', ')}`;
      });
      return Promise.resolve(select.join(' UNION ALL '));
    },
  };
}
