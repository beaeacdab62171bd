/** Field-by-field differences of two definitions. */
import { type CanonicalValue, canonicalJson } from '../definitions/definition-hash.js';
import type { DefinitionJson } from '../definitions/definition-json.js';

/** One field that differs; null where it is not set. Values are canonical JSON. */
export interface FieldChange {
  /** Path like `source.table` or `features.mean_delay.type`. */
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** The fields in which two definitions differ, sorted by path. */
export function diffDefinitions(before: DefinitionJson, after: DefinitionJson): readonly FieldChange[] {
  const old = flatten(before);
  const fresh = flatten(after);
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((path) => old.get(path) !== fresh.get(path))
    .sort()
    .map((path) => ({ path, before: old.get(path) ?? null, after: fresh.get(path) ?? null }));
}

function flatten(value: DefinitionJson): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const visit = (path: string, item: CanonicalValue | undefined): void => {
    if (item === undefined) return;
    const members = membersOf(item);
    if (members === undefined) leaves.set(path, canonicalJson(item));
    else for (const [key, member] of members) visit(path === '' ? key : `${path}.${key}`, member);
  };
  visit('', value);
  return leaves;
}

/** The members of an object, a map, or a list of named objects (its order is a member too); undefined for a leaf. */
function membersOf(value: CanonicalValue): readonly (readonly [string, CanonicalValue | undefined])[] | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  if (value instanceof Map) return [...(value as ReadonlyMap<string, CanonicalValue | undefined>)];
  if (!Array.isArray(value)) return Object.entries(value);
  const names = (value as readonly CanonicalValue[]).map(nameOf);
  if (names.length === 0 || !names.every((name) => name !== undefined)) return undefined;
  const items = value as readonly CanonicalValue[];
  return [...items.map((item, index) => [names[index] ?? '', item] as const), ['(order)', names]];
}

function nameOf(value: CanonicalValue): string | undefined {
  if (value === null || typeof value !== 'object' || !('name' in value)) return undefined;
  return typeof value.name === 'string' ? value.name : undefined;
}
