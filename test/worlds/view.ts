/** Random views on the tables of a world, and their rows as the oracle takes them. */
import type { IcebergType, NestedField } from '../../iceberg/index.js';
import type { KeyDomain } from './columns.js';
import { isNanoseconds } from './columns.js';
import type { OracleRow } from './oracle.js';
import type { Random } from './random.js';
import { fieldValue, type LiveRow, plain } from './rows.js';
import type { PlainValue } from './values.js';
import type { WorldTable } from './world.js';

export interface WorldFeature {
  readonly name: string;
  readonly field: NestedField;
  /** The type in the view: the column's, or a wider one. */
  readonly type: IcebergType;
  /** Whether the definition says so. */
  readonly declared: boolean;
}

export interface WorldView {
  readonly name: string;
  readonly table: WorldTable;
  readonly keys: readonly { readonly domain: KeyDomain; readonly field: NestedField }[];
  readonly time: NestedField;
  readonly created: NestedField | undefined;
  /** 0: no limit, said in another way. */
  readonly ttlMs: number | undefined;
  /** All features in the view's order. */
  readonly features: readonly WorldFeature[];
  /** Whether the definition lists them. */
  readonly listed: boolean;
  /** Column -> name in the view, of columns that are called otherwise there. */
  readonly fieldMapping: ReadonlyMap<string, string>;
  /** Whether keys are one entity, or one each. */
  readonly oneEntity: boolean;
}

const TTLS = [undefined, 0, 1, 2, 4, 3_600_000] as const;

export function randomView(random: Random, table: WorldTable, index: number): WorldView {
  const { fields } = table.schema;
  const { roles } = table.history;
  const mapping = new Map<string, string>();
  const keys = fields.flatMap((field) => {
    const role = roles.get(field.id);
    if (role?.kind !== 'key' || random.chance(0.15)) return [];
    if (field.name !== role.key.name) mapping.set(field.name, role.key.name);
    return [{ domain: role.key, field }];
  });
  const time = fields.find(({ id }) => roles.get(id)?.kind === 'time') as NestedField;
  if (random.chance(0.2)) mapping.set(time.name, 'mapped time');
  const creation = fields.find(({ id }) => roles.get(id)?.kind === 'created');
  const created = random.chance(0.8) ? creation : undefined;
  const taken = new Set<NestedField | undefined>([time, created, ...keys.map(({ field }) => field)]);
  const listed = random.chance(0.7);
  const rest = fields.filter((field) => !taken.has(field));
  const features = (listed ? random.some(rest, 1, rest.length) : rest).map((field): WorldFeature => {
    const name = random.chance(0.2) ? `mapped ${field.id}` : field.name;
    if (name !== field.name) mapping.set(field.name, name);
    const wider = listed && random.chance(0.3) ? widerType(field.type) : undefined;
    return { name, field, type: wider ?? field.type, declared: wider !== undefined };
  });
  const ttlMs = random.pick(TTLS);
  const oneEntity = keys.length > 1 && random.chance(0.4);
  return { name: `v${index}`, table, keys, time, created, ttlMs, features, listed, fieldMapping: mapping, oneEntity };
}

function widerType(type: IcebergType): IcebergType | undefined {
  if (type.kind === 'int') return { kind: 'long' };
  if (type.kind === 'float') return { kind: 'double' };
  return type.kind === 'decimal' ? { ...type, precision: type.precision + 1 } : undefined;
}

/** The name that a view has for a column. */
const nameIn = (view: WorldView, field: NestedField): string => view.fieldMapping.get(field.name) ?? field.name;

/** The definitions of views, as users write them. */
export function definitionsOf(views: readonly WorldView[]): unknown {
  const keyNames = new Set(views.flatMap((view) => view.keys.map((key) => key.domain.name)));
  const single = [...keyNames].map((name) => ({ name: `entity_${name}`, joinKeys: [name] }));
  const several = views
    .filter((view) => view.oneEntity)
    .map((view) => ({ name: `entity_${view.name}`, joinKeys: view.keys.map((key) => key.domain.name) }));
  return { entities: [...single, ...several], featureViews: views.map(viewDefinition) };
}

function viewDefinition(view: WorldView): unknown {
  const { created } = view;
  return {
    name: view.name,
    entities: view.oneEntity ? [`entity_${view.name}`] : view.keys.map((key) => `entity_${key.domain.name}`),
    source: {
      table: view.table.name,
      timestampField: nameIn(view, view.time),
      ...(created === undefined ? {} : { createdTimestampField: nameIn(view, created) }),
      ...(view.fieldMapping.size === 0 ? {} : { fieldMapping: Object.fromEntries(view.fieldMapping) }),
    },
    ...(view.ttlMs === undefined ? {} : { ttl: `${view.ttlMs}ms` }),
    ...(view.listed
      ? { features: view.features.map((f) => ({ name: f.name, ...(f.declared ? { type: typeText(f.type) } : {}) })) }
      : {}),
  };
}

/** A type as definitions write it. */
export function typeText(type: IcebergType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision}, ${type.scale})`;
  if (type.kind === 'list') return `list<${typeText(type.element)}>`;
  if (type.kind === 'map') return `map<${typeText(type.key)}, ${typeText(type.value)}>`;
  if (type.kind !== 'struct') return type.kind;
  return `struct<${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(', ')}>`;
}

/** The rows of a view, as they are in its table at the state that is read. */
export function oracleRows(view: WorldView): readonly OracleRow[] {
  return (view.table.read?.rows ?? []).map((live) => oracleRow(view, live));
}

function oracleRow(view: WorldView, { row, sequence }: LiveRow): OracleRow {
  const value = (field: NestedField, type = field.type): PlainValue => plain(fieldValue(row.values, field), type);
  const time = (field: NestedField | undefined): bigint | null => {
    if (field === undefined) return null;
    const count = value(field) as bigint | null;
    return count === null || isNanoseconds(field.type) ? count : count * 1000n;
  };
  return {
    key: view.keys.map(({ domain, field }) => keyValue(domain, value(field))),
    timeNs: time(view.time),
    createdNs: time(view.created),
    sequence,
    features: view.features.map((feature) => value(feature.field, feature.type)),
  };
}

/** A key's value whatever the width of its column. */
export function keyValue(domain: KeyDomain, value: PlainValue): PlainValue {
  return domain.kind === 'integer' && typeof value === 'number' ? BigInt(value) : value;
}
