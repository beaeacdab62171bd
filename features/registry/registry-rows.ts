/** The registry table: its schema, its rows, and the state that its rows add up to. */
import { MoraineError } from '../../errors/index.js';
import { parseJson } from '../../iceberg/index.js';
import { canonicalHash, canonicalJson } from '../definitions/definition-hash.js';
import { type AnyRegistered, definitionToJson, findDefinition } from '../definitions/definition-json.js';
import { parseStoredDefinition } from '../definitions/parse-definitions.js';
import type { ApplyPlan, RegistryState } from './apply-plan.js';
import { definitionsOf, objectKey } from './apply-plan.js';
import { formerNamesOf } from './former-names.js';
import type { RegistryRow } from './registry-row.js';

/** The rows that a plan adds: one version of each object that changes; a rename also ends the former name. */
export function rowsOfPlan(plan: ApplyPlan, appliedAtUs: bigint): readonly RegistryRow[] {
  const row = (item: AnyRegistered | undefined, deleted: boolean, renamedFrom: string | null): RegistryRow[] => {
    if (item === undefined) return [];
    const { kind } = item;
    const { name } = item.definition;
    const json = definitionToJson(item);
    const version = (plan.base.versions.get(objectKey(kind, name)) ?? 0) + 1;
    return [
      {
        kind,
        name,
        version,
        definition: canonicalJson(json),
        definitionHash: canonicalHash(json),
        renamedFrom,
        appliedAtUs,
        deleted,
      },
    ];
  };
  return plan.changes.flatMap((change) => {
    const before = (name: string) => findDefinition(plan.base.definitions, change.kind, name);
    if (change.action === 'unchanged') return [];
    if (change.action === 'delete') return row(before(change.name), true, null);
    const former = change.renamedFrom === undefined ? [] : row(before(change.renamedFrom), true, null);
    return [
      ...former,
      ...row(findDefinition(plan.result, change.kind, change.name), false, change.renamedFrom ?? null),
    ];
  });
}

/** The state that rows, in any order, add up to: the highest version of each object, unless it is deleted. */
export function stateOfRows(rows: readonly RegistryRow[], snapshotId: bigint | null): RegistryState {
  const newest = new Map<string, RegistryRow>();
  for (const row of rows) {
    const key = objectKey(row.kind, row.name);
    if (row.version > (newest.get(key)?.version ?? 0)) newest.set(key, row);
  }
  const live = [...newest.values()].filter((row) => !row.deleted).sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    snapshotId,
    definitions: definitionsOf(live.map(parseRow)),
    versions: new Map([...newest].map(([key, row]) => [key, row.version])),
    formerNames: formerNamesOf(rows),
  };
}

/** By {@link objectKey}: the time of the first version after the last deletion. */
export function creationTimesOf(rows: readonly RegistryRow[]): ReadonlyMap<string, bigint> {
  const created = new Map<string, bigint>();
  for (const { kind, name, deleted, appliedAtUs } of [...rows].sort((a, b) => a.version - b.version)) {
    const key = objectKey(kind, name);
    if (deleted) created.delete(key);
    else if (!created.has(key)) created.set(key, appliedAtUs);
  }
  return created;
}

function parseRow(row: RegistryRow): AnyRegistered {
  const definition = parseStoredDefinition(row.kind, parseDefinitionJson(row));
  if (definition !== undefined) return { kind: row.kind, definition } as AnyRegistered;
  throw new MoraineError(
    'UNSUPPORTED_FEATURE',
    `Version ${row.version} of ${row.kind} '${row.name}' in the registry is not understood; it may have been written by a newer Moraine.`,
  );
}

function parseDefinitionJson(row: RegistryRow): unknown {
  try {
    return parseJson(row.definition);
  } catch {
    return undefined;
  }
}
