/** Options that say how records become rows. */
import { RECORD_TIMES, type RecordTime } from '../../engine/index.js';
import { MoraineError } from '../../errors/index.js';
import type { UpsertOptions } from '../../sink/index.js';
import { parseColumnNames } from './columns-option.js';

/** @param given forms by column, as `--time` has them. @throws INVALID_ARGUMENT */
export function timesOf(
  given: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, RecordTime>> | undefined {
  if (given === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(given).map(([column, form]) => {
      const time = RECORD_TIMES.find((known) => known === form);
      if (time !== undefined) return [column, time];
      throw new MoraineError('INVALID_ARGUMENT', `--time ${column}=${form} is none of ${RECORD_TIMES.join(', ')}.`);
    }),
  );
}

/** Names of feature views, separated by commas. */
export function viewsOf(names: string | undefined): readonly string[] | undefined {
  return names?.split(',').map((name) => name.trim());
}

/** @throws INVALID_ARGUMENT for one option without the other */
export function upsertOf(key: string | undefined, order: string | undefined): UpsertOptions | undefined {
  if (key !== undefined && order !== undefined) return { key: parseColumnNames(key), order };
  if (key === undefined && order === undefined) return undefined;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    '--upsert and --order go together: the columns of the key, and what says which row stays.',
  );
}
