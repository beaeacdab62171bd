/** Finding a record's fields by their Iceberg field ids. */
import { MoraineError } from '../../errors/index.js';
import { type AvroNode, nonNull } from './avro-node.js';
import { type AvroDatum, type AvroRecord, positionKey } from './datum.js';
import { PackedMap } from './packed-map.js';

/** Where a field is in decoded records, and its schema. */
export interface FieldSlot {
  readonly key: string;
  readonly node: AvroNode;
}

/** The fields of one record schema by id. Files without ids (of other writers) are matched by name through `idsByName`. */
export class RecordFields {
  private readonly slots = new Map<number, FieldSlot>();
  /** All fields in the order of the schema. */
  readonly inOrder: readonly FieldSlot[];

  /** @throws MoraineError `MANIFEST_CORRUPT` when `node` is not a record (or an optional one) */
  constructor(node: AvroNode | undefined, idsByName: ReadonlyMap<string, number> = new Map()) {
    const record = node === undefined ? undefined : nonNull(node);
    if (record?.kind !== 'record') throw new MoraineError('MANIFEST_CORRUPT', 'its Avro schema lacks a record');
    this.inOrder = record.fields.map((field, position) => {
      const slot = { key: positionKey(position), node: field.node };
      const id = field.fieldId ?? idsByName.get(field.name);
      if (id !== undefined) this.slots.set(id, slot);
      return slot;
    });
  }

  /** The slot of an id; undefined when the writer did not have the field. */
  slot(id: number): FieldSlot | undefined {
    return this.slots.get(id);
  }

  /** A function that takes a field out of decoded records; null where the writer did not have it. */
  getter(id: number): (record: AvroRecord) => AvroDatum {
    const key = this.slots.get(id)?.key;
    return key === undefined ? () => null : (record) => record[key];
  }
}

/** Checks the kind of a value that a file's own schema decided. @throws MoraineError `MANIFEST_CORRUPT` */
export function expectLong(datum: AvroDatum, name: string): bigint {
  if (typeof datum === 'bigint') return datum;
  if (typeof datum === 'number' && Number.isInteger(datum)) return BigInt(datum);
  throw unexpected(name, 'a long');
}

/** As {@link expectLong}, for an int. */
export function expectInt(datum: AvroDatum, name: string): number {
  if (typeof datum === 'number' && Number.isInteger(datum)) return datum;
  if (typeof datum === 'bigint' && Number.isSafeInteger(Number(datum))) return Number(datum);
  throw unexpected(name, 'an int');
}

/** As {@link expectLong}, for text. */
export function expectText(datum: AvroDatum, name: string): string {
  if (typeof datum === 'string') return datum;
  throw unexpected(name, 'text');
}

/** As {@link expectLong}, for bytes. */
export function expectBytes(datum: AvroDatum, name: string): Uint8Array {
  if (datum instanceof Uint8Array) return datum;
  throw unexpected(name, 'bytes');
}

/** As {@link expectLong}, for a list. */
export function expectList(datum: AvroDatum, name: string): readonly AvroDatum[] {
  if (Array.isArray(datum)) return datum;
  throw unexpected(name, 'a list');
}

/** As {@link expectLong}, for a map with int keys, whose values are checked by `check` (packed ones are of the right kind). */
export function expectIntMap<T>(
  datum: AvroDatum,
  name: string,
  valueKind: 'long' | 'bytes',
  check: (value: AvroDatum, name: string) => T,
): ReadonlyMap<number, T> {
  if (datum instanceof PackedMap && datum.format.valueKind === valueKind) return datum as ReadonlyMap<number, T>;
  if (!(datum instanceof Map || datum instanceof PackedMap)) throw unexpected(name, 'a map');
  const pairs = [...(datum as ReadonlyMap<unknown, unknown>)];
  return new Map(pairs.map(([key, value]) => [expectInt(key, name), check(value, name)]));
}

/** `check`ed when present; undefined for null or a field that the writer did not have. */
export function optionally<T>(
  datum: AvroDatum,
  name: string,
  check: (value: AvroDatum, name: string) => T,
): T | undefined {
  return datum === null || datum === undefined ? undefined : check(datum, name);
}

function unexpected(name: string, what: string): MoraineError {
  return new MoraineError('MANIFEST_CORRUPT', `its field ${name} is not ${what}`);
}
