import { type BoundExpression, bindExpression, parseExpression, type Schema } from '../../iceberg/index.js';

/**
 * `--where`: parsed and bound to the columns of the schema that is read.
 *
 * @throws `EXPRESSION_INVALID` with the position; `COLUMN_NOT_FOUND`
 */
export function parseWhere(text: string | undefined, schema: Schema): BoundExpression | undefined {
  return text === undefined ? undefined : bindExpression(parseExpression(text), schema);
}
