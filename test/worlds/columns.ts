/** Columns of table worlds: what each is for, what its values are drawn from, and how schemas change. */
import type { IcebergType, NestedField, PrimitiveType, Schema } from '../../iceberg/index.js';
import type { Random } from './random.js';
import { randomValue, type Value } from './values.js';

/** Keys of entities: typed values, some that look like others. */
export interface KeyDomain {
  readonly name: string;
  readonly kind: 'integer' | 'string' | 'uuid' | 'date' | 'decimal' | 'timestamp';
  /** As a column of the widest type holds them. */
  readonly values: readonly (bigint | string | number)[];
}

export const KEY_KINDS: Readonly<Record<KeyDomain['kind'], KeyDomain['values']>> = {
  integer: [1n, 12n, 3n, -5n],
  string: ['1', '01', '12', '3', '23', 'a', 'A', ' a', '\u00e9', 'e\u0301', ''],
  uuid: ['00000000-0000-0000-0000-000000000001', 'f0000000-0000-0000-0000-000000000001'],
  date: [0, -1, 19_000],
  decimal: [150n, 15n, -150n, 0n],
  timestamp: [0n, 1n, -1n],
};

/** Times of a world: points some whole milliseconds from a base, and those one unit beside them. */
export class Clock {
  readonly #baseNs: bigint;

  constructor(random: Random) {
    this.#baseNs = random.pick([0n, 1_700_000_000_000_000_000n, -86_400_000_000_000n, 951_782_400_000_000_000n]);
  }

  /** A time of nanoseconds or, if so asked, whole microseconds. */
  time(random: Random, unit: 'us' | 'ns'): bigint {
    const beside = unit === 'us' ? [0n, 0n, 1000n, -1000n] : [0n, 0n, 1000n, -1000n, 1n, -1n, 999n];
    return this.#baseNs + BigInt(random.int(-5, 5)) * 1_000_000n + random.pick(beside);
  }

  /** Midnight of the base, as a date. */
  get day(): number {
    return Number(this.#baseNs / 86_400_000_000_000n);
  }
}

export type Role = { readonly kind: 'key'; readonly key: KeyDomain } | { readonly kind: 'time' | 'created' };

/** Columns by field id; all others are features. */
export type Roles = ReadonlyMap<number, Role>;

/** Whether a type counts nanoseconds. */
export const isNanoseconds = (type: IcebergType): boolean =>
  type.kind === 'timestamp_ns' || type.kind === 'timestamptz_ns';

/** A value for a column of a role. */
export function columnValue(random: Random, clock: Clock, role: Role | undefined, type: IcebergType): Value {
  if (role?.kind === 'key') {
    if (random.chance(0.08)) return null;
    const value = random.pick(role.key.values);
    return type.kind === 'int' ? Number(value) : value;
  }
  if (role?.kind === 'time' || role?.kind === 'created') {
    if (random.chance(role.kind === 'time' ? 0.04 : 0.25)) return null;
    const unit = isNanoseconds(type) ? 'ns' : 'us';
    const ns = clock.time(random, unit);
    return unit === 'ns' ? ns : ns / 1000n;
  }
  return randomValue(random, type);
}

const TIME_TYPES = ['timestamp', 'timestamptz'] as const;
const NS_TYPES = ['timestamp_ns', 'timestamptz_ns'] as const;

/** The type of a time column; nanoseconds need v3. */
export function timeType(random: Random, formatVersion: 1 | 2 | 3): IcebergType {
  return { kind: random.pick(formatVersion === 3 && random.chance(0.6) ? NS_TYPES : TIME_TYPES) };
}

/** The type of a key column. */
export function keyType(random: Random, key: KeyDomain): IcebergType {
  if (key.kind === 'integer') return { kind: random.pick(['int', 'long']) };
  if (key.kind === 'decimal') return { kind: 'decimal', precision: 9, scale: 2 };
  return { kind: key.kind === 'timestamp' ? random.pick(TIME_TYPES) : key.kind };
}

const FEATURE_KINDS = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'string',
  'uuid',
  'binary',
] as const;

/** Gives out field ids that the table never had. */
export class FieldIds {
  #last = 0;
  next(): number {
    return ++this.#last;
  }
}

export function featureType(random: Random, ids: FieldIds, formatVersion: 1 | 2 | 3): IcebergType {
  const nested = random.chance(0.2);
  if (!nested) {
    if (random.chance(0.1)) return { kind: 'decimal', precision: random.pick([5, 18, 30]), scale: 2 };
    return { kind: random.pick(formatVersion === 3 ? [...FEATURE_KINDS, ...NS_TYPES] : FEATURE_KINDS) };
  }
  const member = (name: string, kind: 'int' | 'string'): NestedField => {
    return { id: ids.next(), name, required: false, type: { kind } };
  };
  return random.pick([
    (): IcebergType => ({
      kind: 'list',
      elementId: ids.next(),
      elementRequired: false,
      element: { kind: random.pick(['int', 'string']) },
    }),
    (): IcebergType => ({ kind: 'struct', fields: [member('x', 'int'), member('y', 'string')] }),
    (): IcebergType => ({
      kind: 'map',
      keyId: ids.next(),
      key: { kind: 'string' },
      valueId: ids.next(),
      valueRequired: false,
      value: { kind: 'int' },
    }),
  ])();
}

/** A wider type that the specification lets a column become, or undefined. */
function promoted(type: IcebergType): IcebergType | undefined {
  if (type.kind === 'int') return { kind: 'long' };
  if (type.kind === 'float') return { kind: 'double' };
  if (type.kind === 'decimal' && type.precision < 36) return { ...type, precision: type.precision + 2 };
  return undefined;
}

/** The context of a schema change. */
export interface EvolutionContext {
  readonly ids: FieldIds;
  readonly roles: Roles;
  readonly formatVersion: 1 | 2 | 3;
  /** Columns that the current partition spec comes from. */
  readonly partitioned: ReadonlySet<number>;
}

const replaced = (fields: readonly NestedField[], id: number, change: Partial<NestedField>): readonly NestedField[] =>
  fields.map((field) => (field.id === id ? { ...field, ...change } : field));

/** A schema changed in one way that the specification allows, with the next id; undefined where that way is closed. */
export function evolved(random: Random, schema: Schema, context: EvolutionContext): Schema | undefined {
  const changes = [renameColumn, exchangeNames, promoteColumn, dropColumn, addColumn, reorder, evolveStruct];
  const fields = random.pick(changes)(random, schema.fields, context);
  return fields === undefined ? undefined : { ...schema, schemaId: schema.schemaId + 1, fields };
}

type Change = (
  random: Random,
  fields: readonly NestedField[],
  context: EvolutionContext,
) => readonly NestedField[] | undefined;

const renameColumn: Change = (random, fields, { ids }) => {
  const field = random.pick(fields);
  return replaced(fields, field.id, { name: `${field.name.slice(0, 12)}_${ids.next()}` });
};

const exchangeNames: Change = (random, fields, { roles }) => {
  const features = fields.filter(({ id }) => !roles.has(id));
  const [a, b] = random.some(features, 2, 2);
  if (a === undefined || b === undefined) return undefined;
  return replaced(replaced(fields, a.id, { name: b.name }), b.id, { name: a.name });
};

const promoteColumn: Change = (random, fields) => {
  const candidates = fields.filter(({ type }) => promoted(type) !== undefined);
  if (candidates.length === 0) return undefined;
  const field = random.pick(candidates);
  return replaced(fields, field.id, { type: promoted(field.type) as IcebergType });
};

/** Now and then another column takes the name at once. */
const dropColumn: Change = (random, fields, { roles, partitioned, ids, formatVersion }) => {
  const features = fields.filter(({ id }) => !roles.has(id));
  const droppable = features.filter(({ id }) => !partitioned.has(id));
  if (features.length < 2 || droppable.length === 0) return undefined;
  const dropped = random.pick(droppable);
  const left = fields.filter(({ id }) => id !== dropped.id);
  if (random.chance(0.4)) return left;
  const type = random.chance(0.5) ? featureType(random, ids, formatVersion) : fresh(dropped.type, ids);
  return [...left, newField(ids, dropped.name, type)];
};

const addColumn: Change = (random, fields, { ids, formatVersion }) => {
  const id = ids.next();
  if (formatVersion === 3 && random.chance(0.5)) {
    const [kind, initialDefault] = random.pick([
      ['int', 7],
      ['string', 'd'],
      ['boolean', true],
    ] as const);
    return [...fields, { id, name: `added_${id}`, required: false, type: { kind }, initialDefault }];
  }
  return [...fields, { id, name: `added_${id}`, required: false, type: featureType(random, ids, formatVersion) }];
};

const reorder: Change = (random, fields) => random.shuffle(fields);

const evolveStruct: Change = (random, fields, { ids }) => {
  const structs = fields.filter(({ type }) => type.kind === 'struct');
  if (structs.length === 0) return undefined;
  const field = random.pick(structs);
  if (field.type.kind !== 'struct') return undefined;
  const members = field.type.fields;
  const one = random.pick(members);
  const id = ids.next();
  const changed = random.pick([
    () => [...members, { id, name: `m${id}`, required: false, type: { kind: 'string' as const } }],
    () => replaced(members, one.id, { name: `${one.name.slice(0, 4)}${id}` }),
    () => (members.length > 1 ? members.filter((member) => member.id !== one.id) : members),
    () => [...members].reverse(),
    () => replaced(members, one.id, { type: promoted(one.type) ?? one.type }),
    // The name of one is the name of another from now on.
    () => [...members.filter((member) => member.id !== one.id), newField(ids, one.name, one.type)],
  ])();
  return replaced(fields, field.id, { type: { kind: 'struct', fields: changed } });
};

const newField = (ids: FieldIds, name: string, type: IcebergType): NestedField => {
  return { id: ids.next(), name, required: false, type };
};

/** The same type with field ids of its own. */
function fresh(type: IcebergType, ids: FieldIds): IcebergType {
  if (type.kind === 'struct')
    return { ...type, fields: type.fields.map((f) => newField(ids, f.name, fresh(f.type, ids))) };
  if (type.kind === 'list') return { ...type, elementId: ids.next(), element: fresh(type.element, ids) };
  if (type.kind !== 'map') return type;
  return { ...type, keyId: ids.next(), valueId: ids.next(), value: fresh(type.value, ids) };
}

/** The primitive columns of a schema. */
export function primitiveFields(schema: Schema): readonly (NestedField & { readonly type: PrimitiveType })[] {
  return schema.fields.filter(
    (field): field is NestedField & { readonly type: PrimitiveType } =>
      !['list', 'map', 'struct', 'unknown', 'unsupported'].includes(field.type.kind),
  );
}
