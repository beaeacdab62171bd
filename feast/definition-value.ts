/** Definitions as plain values with the keys of `features.yaml`. */
import type { Schema } from '../iceberg/index.js';
import type { FeastPair } from './registry-proto.js';

/** A definition as a value with the keys of `features.yaml`. */
export type DefinitionValue = Readonly<Record<string, unknown>> & { readonly name: string };

/** The schema of a table, or why it could not be read. */
export type TableSchema = Schema | { readonly reason: string; readonly isSilent?: boolean };

/** Description and tags; the owner becomes a tag, unless there is one of that name. */
export function commonValue(item: {
  readonly description: string;
  readonly owner: string;
  readonly tags: readonly FeastPair[];
}): { readonly description?: string; readonly tags?: ReadonlyMap<string, string> } {
  const tags = new Map(mapOf(item.tags));
  if (item.owner !== '' && !tags.has('owner')) tags.set('owner', item.owner);
  return {
    ...(item.description === '' ? {} : { description: item.description }),
    ...(tags.size === 0 ? {} : { tags: sorted(tags) }),
  };
}

/** A map field by its keys' order: on the wire it has none. */
export function mapOf(pairs: readonly FeastPair[]): Map<string, string> {
  return sorted(new Map(pairs.map(({ key, value }) => [key, value])));
}

function sorted(map: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
