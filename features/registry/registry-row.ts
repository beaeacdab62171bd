/** The registry table: its schema and its rows. */
import type { Schema } from '../../iceberg/index.js';
import type { DefinitionKind } from '../definitions/definition.js';

/** One version of one object. */
export interface RegistryRow {
  readonly kind: DefinitionKind;
  readonly name: string;
  /** Counts from 1 for each kind and name, over deletions too. */
  readonly version: number;
  /** The definition as JSON, with the keys it has in YAML; of a deleted object its last one. */
  readonly definition: string;
  /** SHA-256 of `definition`. */
  readonly definitionHash: string;
  /** The name until this version, for a rename. */
  readonly renamedFrom: string | null;
  /** Microseconds since the epoch, UTC. */
  readonly appliedAtUs: bigint;
  readonly deleted: boolean;
}

/** Columns of the registry table, in the order of {@link RegistryRow}. */
export const REGISTRY_SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'kind', required: true, type: { kind: 'string' }, doc: 'entity, featureView or featureService' },
    { id: 2, name: 'name', required: true, type: { kind: 'string' } },
    { id: 3, name: 'version', required: true, type: { kind: 'int' }, doc: 'counts from 1 for each kind and name' },
    {
      id: 4,
      name: 'definition',
      required: true,
      type: { kind: 'string' },
      doc: 'JSON, with the keys of YAML definitions',
    },
    { id: 5, name: 'definition_hash', required: true, type: { kind: 'string' }, doc: 'SHA-256 of definition' },
    { id: 6, name: 'renamed_from', required: false, type: { kind: 'string' } },
    { id: 7, name: 'applied_at', required: true, type: { kind: 'timestamptz' } },
    { id: 8, name: 'deleted', required: true, type: { kind: 'boolean' } },
  ],
};
