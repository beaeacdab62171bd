/** Binding an expression to a schema: columns become field ids, literals values of the columns' types, NOT disappears. */

import { MoraineError } from '../../errors/index.js';
import { columnNotFound } from '../schema/column-not-found.js';
import { fieldPath, findField, findFieldByName } from '../schema/schema.js';
import { typeToString } from '../schema/schema-json.js';
import type { PrimitiveValue, Schema } from '../schema/types.js';
import {
  ALWAYS_FALSE,
  ALWAYS_TRUE,
  and,
  type BoundExpression,
  type BoundReference,
  type ComparisonOp,
  type Literal,
  or,
  type Predicate,
  type UnboundExpression,
} from './expression.js';
import { placeLiteral } from './expression-literal.js';

/**
 * Binds an expression. A row matches the bound expression exactly when the unbound one is true of it in SQL's three-valued logic:
 * NOT is pushed down to the predicates, after which unknown can be taken for false.
 * @throws MoraineError `COLUMN_NOT_FOUND`, `TYPE_MISMATCH`
 */
export function bindExpression(unbound: UnboundExpression, schema: Schema): BoundExpression {
  return bind(unbound, schema, false);
}

function bind(expression: UnboundExpression, schema: Schema, negated: boolean): BoundExpression {
  switch (expression.op) {
    case 'true':
    case 'false':
      return (expression.op === 'true') === negated ? ALWAYS_FALSE : ALWAYS_TRUE;
    case 'not':
      return bind(expression.child, schema, !negated);
    case 'and':
    case 'or': {
      const children = expression.children.map((child) => bind(child, schema, negated));
      return (expression.op === 'and') === negated ? or(...children) : and(...children);
    }
    default:
      return bindPredicate(negated ? opposite(expression) : expression, schema);
  }
}

const OPPOSITES = {
  eq: 'not-eq',
  'not-eq': 'eq',
  lt: 'gt-eq',
  'gt-eq': 'lt',
  'lt-eq': 'gt',
  gt: 'lt-eq',
  in: 'not-in',
  'not-in': 'in',
  'is-null': 'not-null',
  'not-null': 'is-null',
  'is-nan': 'not-nan',
  'not-nan': 'is-nan',
  'starts-with': 'not-starts-with',
  'not-starts-with': 'starts-with',
} as const;

/** The predicate that is true where this one is false, and unknown where it is unknown. */
function opposite<R, V>(predicate: Predicate<R, V>): Predicate<R, V> {
  return { ...predicate, op: OPPOSITES[predicate.op] } as Predicate<R, V>;
}

function bindPredicate(predicate: Predicate<string, Literal>, schema: Schema): BoundExpression {
  const ref = bindReference(predicate.ref, schema);
  switch (predicate.op) {
    case 'is-null':
      return ref.required ? ALWAYS_FALSE : { op: 'is-null', ref };
    case 'not-null':
      return ref.required ? ALWAYS_TRUE : { op: 'not-null', ref };
    case 'is-nan':
    case 'not-nan':
      if (ref.type.kind !== 'float' && ref.type.kind !== 'double')
        throw mismatch(ref, 'isnan() takes float or double columns');
      return { op: predicate.op, ref };
    case 'starts-with':
    case 'not-starts-with':
      if (ref.type.kind !== 'string') throw mismatch(ref, 'LIKE takes string columns');
      return { op: predicate.op, ref, prefix: predicate.prefix };
    case 'in':
    case 'not-in':
      return bindList(predicate.op, ref, predicate.literals);
    default:
      return bindComparison(predicate.op, ref, predicate.literal);
  }
}

/** A column, as {@link BoundReference}. @throws MoraineError `COLUMN_NOT_FOUND`, `TYPE_MISMATCH` inside lists and maps */
export function bindReference(name: string, schema: Schema): BoundReference {
  const field = findFieldByName(schema, name);
  if (field === undefined) {
    throw columnNotFound(schema, name);
  }
  const parentIds = fieldPath(schema, field.id)?.parentIds ?? [];
  const parents = parentIds.map((id) => findField(schema, id));
  if (parents.some((parent) => parent?.type.kind !== 'struct')) {
    throw new MoraineError('TYPE_MISMATCH', `'${name}' is inside a list or map, whose items cannot be filtered on.`);
  }
  return {
    fieldId: field.id,
    path: name,
    type: field.type,
    required: field.required && parents.every((parent) => parent?.required === true),
    nested: parents.length > 0,
  };
}

/** Everything but null. */
function anyValue(ref: BoundReference): BoundExpression {
  return ref.required ? ALWAYS_TRUE : { op: 'not-null', ref };
}

function bindComparison(op: ComparisonOp, ref: BoundReference, literal: Literal): BoundExpression {
  if (ref.type.kind === 'unknown') return ALWAYS_FALSE;
  const place = placeLiteral(ref.type, literal, ref.path);
  switch (place.kind) {
    case 'at':
      return { op, ref, literal: place.value };
    case 'after':
      if (op === 'eq') return ALWAYS_FALSE;
      if (op === 'not-eq') return anyValue(ref);
      return { op: op === 'lt' || op === 'lt-eq' ? 'lt-eq' : 'gt', ref, literal: place.value };
    case 'below':
      return op === 'eq' || op === 'lt' || op === 'lt-eq' ? ALWAYS_FALSE : anyValue(ref);
    case 'above':
      return op === 'eq' || op === 'gt' || op === 'gt-eq' ? ALWAYS_FALSE : anyValue(ref);
  }
}

/** IN and NOT IN as SQL has them: a null in the list makes NOT IN unknown for every row. */
function bindList(op: 'in' | 'not-in', ref: BoundReference, literals: readonly Literal[]): BoundExpression {
  if (ref.type.kind === 'unknown') return ALWAYS_FALSE;
  const values = literals.filter((literal) => literal.kind !== 'null');
  const places = values.map((literal) => placeLiteral(ref.type, literal, ref.path));
  if (op === 'not-in' && values.length < literals.length) return ALWAYS_FALSE;
  const found = distinct(places.flatMap((place) => (place.kind === 'at' ? [place.value] : [])));
  const [only] = found;
  if (only === undefined) return op === 'in' ? ALWAYS_FALSE : anyValue(ref);
  if (found.length === 1) return { op: op === 'in' ? 'eq' : 'not-eq', ref, literal: only };
  return { op, ref, literals: found };
}

function distinct(values: readonly PrimitiveValue[]): readonly PrimitiveValue[] {
  const byKey = new Map(
    values.map((value) => [value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value, value]),
  );
  return [...byKey.values()];
}

function mismatch(ref: BoundReference, rule: string): MoraineError {
  return new MoraineError('TYPE_MISMATCH', `${rule}; '${ref.path}' is ${typeToString(ref.type)}.`);
}
