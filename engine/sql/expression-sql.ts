/** Bound filter expressions as SQL. */
import { MoraineError } from '../../errors/index.js';
import type {
  BoundExpression,
  BoundPredicate,
  BoundReference,
  PrimitiveType,
  PrimitiveValue,
} from '../../iceberg/index.js';
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
    default: {
      const sql = referenceSql(expression.ref);
      const { kind } = expression.ref.type;
      return `(${kind === 'float' || kind === 'double' ? floatPredicateSql(expression, sql) : predicateSql(expression, sql)})`;
    }
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
    default: {
      const side = sideOfRange(predicate.ref.type, predicate.literal);
      if (side !== undefined) return TRUE_OF_ALL[side].has(predicate.op) ? `${sql} IS NOT NULL` : 'false';
      return `${sql} ${COMPARISONS[predicate.op]} ${literalSql(predicate.ref, predicate.literal)}`;
    }
  }
}

/** Comparisons that hold for every value, by where the literal lies. */
const TRUE_OF_ALL: Readonly<Record<'above' | 'below', ReadonlySet<BoundPredicate['op']>>> = {
  above: new Set(['lt', 'lt-eq', 'not-eq'] as const),
  below: new Set(['gt', 'gt-eq', 'not-eq'] as const),
};

const MAX_LONG = 2n ** 63n - 1n;

/** Where a time lies that is beyond all values of its type: bounds in microseconds may be, on columns of nanoseconds. */
function sideOfRange({ kind }: BoundReference['type'], literal: PrimitiveValue): 'above' | 'below' | undefined {
  if ((kind !== 'timestamp_ns' && kind !== 'timestamptz_ns') || typeof literal !== 'bigint') return undefined;
  if (literal > MAX_LONG) return 'above';
  return literal < -MAX_LONG ? 'below' : undefined;
}

/** Zeros of both signs are equal, and a Bloom filter may have the other one: DuckDB 1.5 looks for one of them where it is asked for what equals it. */
const isZeroSql = (sql: string, { kind }: BoundReference['type']): string => {
  const zero = `'0'::${kind === 'float' ? 'FLOAT' : 'DOUBLE'}`;
  return `(${sql} >= ${zero} AND ${sql} <= ${zero})`;
};

/**
 * Statistics of many writers leave NaN out, and DuckDB skips row groups by them as if there were none. What a NaN satisfies is
 * therefore spelled out, as a function that statistics do not answer.
 */
function floatPredicateSql(predicate: BoundPredicate, sql: string): string {
  const orNan = (condition: string): string => `${condition} OR isnan(${sql})`;
  switch (predicate.op) {
    case 'in':
    case 'not-in': {
      const numbers = predicate.literals.filter((literal) => !Number.isNaN(literal));
      const others = numbers.filter((literal) => literal !== 0);
      const hasZero = predicate.op === 'in' && others.length < numbers.length;
      const listed = predicateSql({ ...predicate, literals: hasZero ? others : numbers }, sql);
      const condition = hasZero ? `(${listed} OR ${isZeroSql(sql, predicate.ref.type)})` : listed;
      const hasNan = numbers.length < predicate.literals.length;
      if (predicate.op === 'in') return hasNan ? orNan(condition) : condition;
      return hasNan ? `(${condition}) AND NOT isnan(${sql})` : orNan(condition);
    }
    case 'eq':
    case 'gt-eq':
      if (Number.isNaN(predicate.literal)) return `isnan(${sql})`;
      if (predicate.op === 'gt-eq') return orNan(predicateSql(predicate, sql));
      return predicate.literal === 0 ? isZeroSql(sql, predicate.ref.type) : predicateSql(predicate, sql);
    case 'not-eq':
    case 'lt':
      if (Number.isNaN(predicate.literal)) return `NOT isnan(${sql})`;
      return predicate.op === 'lt' ? predicateSql(predicate, sql) : orNan(predicateSql(predicate, sql));
    case 'gt':
      return Number.isNaN(predicate.literal) ? 'false' : orNan(predicateSql(predicate, sql));
    case 'lt-eq':
      return Number.isNaN(predicate.literal) ? `${sql} IS NOT NULL` : predicateSql(predicate, sql);
    default:
      return predicateSql(predicate, sql);
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
