/** The identity of a project, and the names on a Temporal server that carry it. */
import { randomBytes } from 'node:crypto';
import { MoraineError } from '../../errors/index.js';
import type { TableMetadata } from '../../iceberg/index.js';

/** Table property of the registry: the project's identity, instead of the one that follows from the table's uuid. */
export const PROJECT_ID_PROPERTY = 'moraine.project-id';

const PROJECT_ID = /^[0-9a-f]{12}$/;
/** An id ends with it, or goes on behind it: Temporal appends the time to the ids of scheduled workflows. */
const IN_AN_ID = /@([0-9a-f]{12})(?![0-9A-Za-z])/g;

/**
 * The identity of the project that has a registry, 12 hexadecimal digits: its property `moraine.project-id`, or else the end of the table's
 * uuid. Either was made once, by the swap that created or changed the table, and goes where the table goes.
 *
 * @throws `METADATA_CORRUPT` if the property is anything else
 */
export function projectIdOf({ tableUuid, properties }: Pick<TableMetadata, 'tableUuid' | 'properties'>): string {
  const given = properties.get(PROJECT_ID_PROPERTY);
  const id = given ?? tableUuid.slice(-12).toLowerCase();
  if (PROJECT_ID.test(id)) return id;
  const message = `The registry's property ${PROJECT_ID_PROPERTY} is ${JSON.stringify(id)}, not 12 hexadecimal digits.`;
  throw new MoraineError('METADATA_CORRUPT', message);
}

/** An identity that no other project has. */
export const newProjectId = (): string => randomBytes(6).toString('hex');

/** A name as the Temporal server has it, `<name>@<project>`. @param project null: as it is, for what belongs to nobody */
export function projectName(name: string, project: string | null): string {
  return project === null ? name : `${name}@${project}`;
}

/** The part of an id before the identity of its project, by which commands find it as well. */
export function nameOfId(id: string): string {
  const project = projectOfId(id);
  return project === null ? id : id.slice(0, id.lastIndexOf(`@${project}`));
}

/** The project whose identity an id carries; null for ids of people and of earlier versions. */
export function projectOfId(id: string): string | null {
  return [...id.matchAll(IN_AN_ID)].at(-1)?.[1] ?? null;
}
