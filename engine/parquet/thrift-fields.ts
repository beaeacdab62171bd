/** Fields of Thrift structs by their ids: read as what they must be, and changed. */
import { I64, type ThriftList, type ThriftStruct, type ThriftValue } from './thrift-tree.js';

/** A field with its new value; undefined takes it away. */
export type Change = readonly [id: number, value: ThriftValue | undefined];

export function changed({ fields }: ThriftStruct, changes: readonly Change[]): ThriftStruct {
  const result = new Map(fields);
  for (const [id, value] of changes) {
    if (value === undefined) result.delete(id);
    else result.set(id, value);
  }
  return { kind: 'struct', fields: result };
}

export const i64 = (value: number | bigint): ThriftValue => ({ kind: 'integer', type: I64, value: BigInt(value) });

/** A list of structs. @throws Error if there is none */
export function listOf(struct: ThriftStruct, id: number): ThriftList & { readonly items: readonly ThriftStruct[] } {
  const value = struct.fields.get(id);
  if (value?.kind !== 'list' || value.items.some((item) => item.kind !== 'struct')) {
    throw new Error('its footer lacks a list');
  }
  return value as ThriftList & { readonly items: readonly ThriftStruct[] };
}

export function structOf(struct: ThriftStruct, id: number): ThriftStruct | undefined {
  const value = struct.fields.get(id);
  return value?.kind === 'struct' ? value : undefined;
}

export function bytesOf(struct: ThriftStruct, id: number): Uint8Array | undefined {
  const value = struct.fields.get(id);
  return value?.kind === 'bytes' ? value.bytes : undefined;
}

/** @throws Error if there is no such number */
export function integerOf(struct: ThriftStruct, id: number): bigint {
  const value = struct.fields.get(id);
  if (value?.kind !== 'integer') throw new Error('its footer or a page lacks a number');
  return value.value;
}

export const numberOf = (struct: ThriftStruct, id: number): number => Number(integerOf(struct, id));

/** A number that may be absent. */
export const optionalNumber = (struct: ThriftStruct, id: number): number | undefined =>
  struct.fields.has(id) ? numberOf(struct, id) : undefined;
