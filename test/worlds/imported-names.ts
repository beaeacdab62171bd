/**
 * Names of columns in files without field ids, and the name mapping that finds them. A name stays with the field that had it first: what
 * was renamed or dropped since is found by it, and a later field of that name is not.
 * Source: Apache Iceberg specification, "Column Projection" and "Name Mapping Serialization".
 */
import type { IcebergType, NestedField } from '../../iceberg/index.js';

interface Mapped {
  readonly id: number;
  readonly names: Set<string>;
  readonly fields: Map<number, Mapped>;
}

export class ImportedNames {
  readonly #columns = new Map<number, Mapped>();

  /** The fields as an imported file calls them. */
  named(fields: readonly NestedField[]): readonly NestedField[] {
    return named(fields, this.#columns);
  }

  /** The table property `schema.name-mapping.default`. */
  mapping(): string {
    return JSON.stringify(asJson(this.#columns));
  }
}

function named(fields: readonly NestedField[], known: Map<number, Mapped>): readonly NestedField[] {
  return fields.map((field) => {
    const mapped = known.get(field.id) ?? { id: field.id, names: new Set<string>(), fields: new Map<number, Mapped>() };
    known.set(field.id, mapped);
    const isTaken = [...known.values()].some((other) => other !== mapped && other.names.has(field.name));
    const name = isTaken ? `name of ${field.id}` : field.name;
    mapped.names.add(name);
    return { ...field, name, type: namedType(field.type, mapped.fields) };
  });
}

/** Elements of lists, keys and values of maps have fixed names. */
function namedType(type: IcebergType, known: Map<number, Mapped>): IcebergType {
  const inside = (id: number, name: string, of: IcebergType): IcebergType => {
    const [only] = named([{ id, name, required: false, type: of }], known) as [NestedField];
    return only.type;
  };
  if (type.kind === 'struct') return { ...type, fields: named(type.fields, known) };
  if (type.kind === 'list') return { ...type, element: inside(type.elementId, 'element', type.element) };
  if (type.kind !== 'map') return type;
  return { ...type, key: inside(type.keyId, 'key', type.key), value: inside(type.valueId, 'value', type.value) };
}

function asJson(fields: ReadonlyMap<number, Mapped>): unknown[] {
  return [...fields.values()].map(({ id, names, fields: inner }) => ({
    'field-id': id,
    names: [...names],
    ...(inner.size === 0 ? {} : { fields: asJson(inner) }),
  }));
}
