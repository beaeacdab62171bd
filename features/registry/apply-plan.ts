/** Plan of an `apply`: changes of the registry. Pure: the current state and the desired definitions in, a plan out. */
import { checkReferences } from '../definitions/check-references.js';
import type { DefinitionKind, Definitions } from '../definitions/definition.js';
import {
  type AnyRegistered,
  allDefinitions,
  definitionToJson,
  findDefinition,
} from '../definitions/definition-json.js';
import { type Problem, throwProblems } from '../definitions/problem.js';
import { diffDefinitions, type FieldChange } from './definition-diff.js';

/** The names that renamed objects had before, by {@link objectKey}, newest first; objects that were never renamed are left out. */
export type FormerNames = ReadonlyMap<string, readonly string[]>;

/** The registry at one moment. */
export interface RegistryState {
  /** Snapshot of the registry table; null before the first apply. */
  readonly snapshotId: bigint | null;
  readonly definitions: Definitions;
  /** The newest version of every object there ever was, deleted ones included, by {@link objectKey}. */
  readonly versions: ReadonlyMap<string, number>;
  readonly formerNames: FormerNames;
}

/** One object's part of a plan. */
export interface PlannedChange {
  readonly action: 'create' | 'change' | 'rename' | 'delete' | 'unchanged';
  readonly kind: DefinitionKind;
  readonly name: string;
  /** For a rename: the name until now. */
  readonly renamedFrom?: string;
  readonly fields: readonly FieldChange[];
}

/** Everything that one apply does, in one commit. */
export interface ApplyPlan {
  /** The state that the plan was made from. */
  readonly base: RegistryState;
  readonly changes: readonly PlannedChange[];
  /** The definitions afterwards. */
  readonly result: Definitions;
  /** The names that they had before. */
  readonly formerNames: FormerNames;
}

/** Options of {@link planApply}. */
export interface ApplyOptions {
  /** Delete what is registered but not among the desired definitions, unless it was registered over HTTP. Otherwise it is left alone. */
  readonly prune?: boolean;
}

/** Key of an object among all kinds. */
export function objectKey(kind: DefinitionKind, name: string): string {
  return `${kind}/${name}`;
}

/** Whether a plan changes anything. */
export function planChangesAnything(plan: ApplyPlan): boolean {
  return plan.changes.some((change) => change.action !== 'unchanged');
}

/**
 * Compares the desired definitions with the registry.
 * @throws DEFINITION_INVALID listing every problem: references to nothing, renames that collide
 */
export function planApply(current: RegistryState, desired: Definitions, options: ApplyOptions = {}): ApplyPlan {
  const problems: Problem[] = [];
  const changes = allDefinitions(desired).map((item) => planOne(current.definitions, desired, item, problems));
  const renamed = new Set(
    changes.flatMap((change) => (change.renamedFrom === undefined ? [] : [objectKey(change.kind, change.renamedFrom)])),
  );
  for (const change of changes) {
    const twin = changes.find(
      (other) => other !== change && other.kind === change.kind && other.renamedFrom === change.renamedFrom,
    );
    if (change.renamedFrom === undefined || twin === undefined) continue;
    const message = `'${change.renamedFrom}' is renamed to '${twin.name}' too; it can become only one of them.`;
    problems.push({ path: `${change.kind}.${change.name}.renamedFrom`, message });
  }
  const wanted = new Set(changes.map((change) => objectKey(change.kind, change.name)));
  const kept: AnyRegistered[] = [];
  for (const item of allDefinitions(current.definitions)) {
    const key = objectKey(item.kind, item.definition.name);
    if (wanted.has(key) || renamed.has(key)) continue;
    if (options.prune === true && item.definition.registeredBy === undefined) changes.push(planDelete(item));
    else kept.push(item);
  }
  const result = definitionsOf([...kept, ...allDefinitions(desired)]);
  problems.push(...checkReferences(result));
  if (problems.length > 0) throwProblems(problems);
  return { base: current, changes, result, formerNames: formerNamesAfter(current.formerNames, changes) };
}

function planOne(current: Definitions, desired: Definitions, item: AnyRegistered, problems: Problem[]): PlannedChange {
  const { kind } = item;
  const { name, renamedFrom } = item.definition;
  const existing = findDefinition(current, kind, name);
  const former = renamedFrom === undefined ? undefined : findDefinition(current, kind, renamedFrom);
  if (former !== undefined && renamedFrom !== undefined) {
    const clash = renameClash(kind, name, renamedFrom, existing, desired);
    if (clash !== undefined) problems.push(clash);
    return {
      action: 'rename',
      kind,
      name,
      renamedFrom,
      fields: diffDefinitions(definitionToJson(former), definitionToJson(item)),
    };
  }
  const after = definitionToJson(item);
  if (existing === undefined) return { action: 'create', kind, name, fields: diffDefinitions({}, after) };
  const fields = diffDefinitions(definitionToJson(existing), after);
  return { action: fields.length === 0 ? 'unchanged' : 'change', kind, name, fields };
}

function renameClash(
  kind: DefinitionKind,
  name: string,
  from: string,
  existing: AnyRegistered | undefined,
  desired: Definitions,
): Problem | undefined {
  const path = `${kind}.${name}.renamedFrom`;
  if (from === name) return { path, message: 'names the object itself; leave it out.' };
  if (findDefinition(desired, kind, from) !== undefined) {
    return { path, message: `'${from}' is still defined beside '${name}'; remove it, or do not rename.` };
  }
  if (existing !== undefined) {
    return { path, message: `both '${from}' and '${name}' are registered; delete one of them first.` };
  }
  return undefined;
}

function planDelete(item: AnyRegistered): PlannedChange {
  return {
    action: 'delete',
    kind: item.kind,
    name: item.definition.name,
    fields: diffDefinitions(definitionToJson(item), {}),
  };
}

/** The former names after the changes. A name that another object takes ends the list that it is in. */
function formerNamesAfter(before: FormerNames, changes: readonly PlannedChange[]): FormerNames {
  const names = new Map(before);
  const taken = new Set<string>();
  for (const { action, kind, name, renamedFrom } of changes) {
    const key = objectKey(kind, name);
    if (action === 'create' || action === 'rename') taken.add(key);
    if (action === 'create' || action === 'delete') names.delete(key);
    if (renamedFrom === undefined) continue;
    const former = objectKey(kind, renamedFrom);
    names.set(key, [renamedFrom, ...(before.get(former) ?? [])]);
    names.delete(former);
  }
  const cut = [...names].map(([key, former]): [string, readonly string[]] => {
    const kind = key.slice(0, key.indexOf('/')) as DefinitionKind;
    const end = former.findIndex((name) => taken.has(objectKey(kind, name)));
    return [key, end === -1 ? former : former.slice(0, end)];
  });
  return new Map(cut.filter(([, former]) => former.length > 0));
}

/** A set of definitions from a list; later ones replace earlier ones of the same kind and name. */
export function definitionsOf(items: readonly AnyRegistered[]): Definitions {
  const ofKind = <K extends DefinitionKind>(kind: K) =>
    new Map(
      items
        .filter((item): item is Extract<AnyRegistered, { kind: K }> => item.kind === kind)
        .map((item) => [item.definition.name, item.definition] as const),
    );
  return {
    entities: ofKind('entity') as Definitions['entities'],
    featureViews: ofKind('featureView') as Definitions['featureViews'],
    featureServices: ofKind('featureService') as Definitions['featureServices'],
  };
}
