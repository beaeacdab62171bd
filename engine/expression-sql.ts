/** Bound filter expressions as SQL. */
import { MoraineError } from '../errors/index.js';
import type {
  BoundExpression,
  BoundPredicate,
  BoundReference,
  PrimitiveType,
  PrimitiveValue,
} from '../iceberg/index.js';
import { quoteLiteral } from './sql-text.js';
import { isPrimitive, sqlLiteral } from './sql-type.js';

const COMPARISONS = { eq: '=', 'not-eq': '<>', lt: '<', 'lt-eq': '<=', gt: '>', 'gt-eq': '>=' } as const;

/**
 * SQL that is true for the rows an expression keeps (false or null for others). DuckDB orders as Iceberg filters do here: NaN
 * equals itself and is above every number, text is ordered by code points.
 */
export function expressionSql(expression: BoundExpression, referenceSql: (ref: BoundReference) => string): string {
  switch (expression.op) {
    case 'true':
    case 'false':
      return expression.op;
    case 'and':
    case 'or': {
      if (expression.children.length === 0) return expression.op === 'and' ? 'true' : 'false';
      const children = expression.children.map((child) => expressionSql(child, referenceSql));
      return `(${children.join(expression.op === 'and' ? ' AND ' : ' OR ')})`;
    }
    default:
      return `(${predicateSql(expression, referenceSql(expression.ref))})`;
  }
}

function predicateSql(predicate: BoundPredicate, sql: string): string {
  switch (predicate.op) {
    case 'is-null':
      return `${sql} IS NULL`;
    case 'not-null':
      return `${sql} IS NOT NULL`;
    case 'is-nan':
      return `isnan(${sql})`;
    case 'not-nan':
      return `NOT isnan(${sql})`;
    case 'starts-with':
      return `starts_with(${sql}, ${quoteLiteral(predicate.prefix)})`;
    case 'not-starts-with':
      return `NOT starts_with(${sql}, ${quoteLiteral(predicate.prefix)})`;
    case 'in':
    case 'not-in': {
      if (predicate.literals.length === 0) return predicate.op === 'in' ? 'false' : `${sql} IS NOT NULL`;
      const values = predicate.literals.map((literal) => literalSql(predicate.ref, literal));
      return `${sql} ${predicate.op === 'in' ? 'IN' : 'NOT IN'} (${values.join(', ')})`;
    }
    default:
      return `${sql} ${COMPARISONS[predicate.op]} ${literalSql(predicate.ref, predicate.literal)}`;
  }
}

function literalSql(ref: BoundReference, value: PrimitiveValue): string {
  if (!isPrimitive(ref.type)) {
    throw new MoraineError('EXPRESSION_INVALID', `The column ${ref.path} is not of a primitive type.`);
  }
  return sqlLiteral(ref.type satisfies PrimitiveType, value);
}

/** Ids of the fields that an expression looks at. */
export function referencedIds(expression: BoundExpression): ReadonlySet<number> {
  const ids = new Set<number>();
  const visit = (node: BoundExpression): void => {
    if ('children' in node) node.children.forEach(visit);
    else if ('ref' in node) ids.add(node.ref.fieldId);
  };
  visit(expression);
  return ids;
}
