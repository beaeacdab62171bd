/** The names that registered objects had before they were renamed: what is kept under a name outside the registry follows by them. */
import { type FormerNames, objectKey } from './apply-plan.js';
import type { RegistryRow } from './registry-row.js';

/** @param rows all versions of all objects, in any order */
export function formerNamesOf(rows: readonly RegistryRow[]): FormerNames {
  const histories = new Map<string, RegistryRow[]>();
  for (const row of rows.toSorted((a, b) => a.version - b.version)) {
    const key = objectKey(row.kind, row.name);
    histories.set(key, [...(histories.get(key) ?? []), row]);
  }
  const live = [...histories].filter(([, history]) => history.at(-1)?.deleted === false);
  const named = live.map(([key, history]) => [key, namesBefore(histories, history)] as const);
  return new Map(named.filter(([, names]) => names.length > 0));
}

/** A name that was registered again after the rename is another object's: it ends the list. */
function namesBefore(
  histories: ReadonlyMap<string, readonly RegistryRow[]>,
  history: readonly RegistryRow[],
): readonly string[] {
  const birth = history.findLast((row, index) => !row.deleted && history[index - 1]?.deleted !== false);
  if (birth === undefined || birth.renamedFrom === null) return [];
  const former = histories.get(objectKey(birth.kind, birth.renamedFrom)) ?? [];
  const end = former.at(-1);
  if (end?.deleted !== true || end.appliedAtUs !== birth.appliedAtUs) return [];
  return [birth.renamedFrom, ...namesBefore(histories, former.slice(0, -1))];
}
