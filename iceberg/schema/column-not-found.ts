import { didYouMean, MoraineError } from '../../errors/index.js';
import type { Schema } from './types.js';

/** The error for a name that no column of a schema has. @param purpose what the column was wanted for, such as `to partition by` */
export function columnNotFound({ fields }: Schema, name: string, purpose?: string): MoraineError {
  const what = purpose === undefined ? `'${name}'` : `'${name}' ${purpose}`;
  const hint = didYouMean(
    name,
    fields.map((field) => field.name),
  );
  return new MoraineError('COLUMN_NOT_FOUND', `There is no column ${what}. ${hint}`);
}
