/** The table of records that became no rows: its columns, and making sure that it is there. */
import { type Catalog, formatTableName, type TableIdentifier, withTableDefaults } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import {
  currentSchema,
  type NestedField,
  type PrimitiveType,
  parsePartitionSpec,
  type Schema,
} from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import { ensureTable, loadTable, requireWritable, type Table } from '../../tables/index.js';

const COLUMNS = [
  [
    'id',
    'string',
    true,
    'Tells the dead letter from all others. The same record read again from the same place has the same',
  ],
  ['table_uuid', 'string', true, 'The table that the record was for'],
  ['table', 'string', true, 'Its name'],
  ['sink', 'string', true, 'The sink that read the record'],
  ['batch', 'string', true, 'The batch that left it out'],
  ['source', 'string', false, 'The partition of the source; null where the source has no positions'],
  ['position', 'long', false, 'The position of the record there'],
  ['reason', 'string', true, 'Why it is no row, as a code'],
  ['message', 'string', true, 'The same in words'],
  ['raw', 'binary', true, 'The record as it came'],
  ['schema_id', 'int', true, "The table's schema that it did not fit"],
  [
    'base_sequence',
    'long',
    false,
    "Sequence number of the table's snapshot when it was left out: the rows of that snapshot were read before it",
  ],
  ['rejected_at', 'timestamptz', true, 'When it was left out'],
  ['replayed_at', 'timestamptz', false, 'When it became a row after all; null: it has not'],
  ['replayed_sequence', 'long', false, 'Sequence number of the snapshot that has the row'],
  ['replayed_key', 'string', false, 'Key of the row that an upsert made of it, as a JSON array'],
] as const satisfies readonly (readonly [string, PrimitiveType['kind'], boolean, string])[];

/** A column of a dead-letter table. */
export type DeadLetterColumn = (typeof COLUMNS)[number][0];

/** By day: old dead letters go by partition, and new ones are found in few files. */
const PARTITION = 'day(rejected_at)';

const DEAD_LETTER_SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: COLUMNS.map(
    ([name, kind, required, doc], index): NestedField => ({ id: index + 1, name, required, type: { kind }, doc }),
  ),
};

/**
 * A dead-letter table, created if it does not exist.
 * @throws MoraineError `INVALID_ARGUMENT` for a table of other columns, and what creating and loading throw
 */
export async function ensureDeadLetterTable(
  { catalog, io }: { readonly catalog: Catalog; readonly io: FileIO },
  identifier: TableIdentifier,
): Promise<Table> {
  const partitionSpec = parsePartitionSpec(PARTITION, DEAD_LETTER_SCHEMA);
  const request = withTableDefaults({ schema: DEAD_LETTER_SCHEMA, partitionSpec });
  return requireDeadLetterTable(await ensureTable(catalog, io, identifier, request));
}

/** @throws MoraineError `TABLE_NOT_FOUND`, `INVALID_ARGUMENT` for a table of other columns */
export async function loadDeadLetterTable(
  { catalog, io }: { readonly catalog: Catalog; readonly io: FileIO },
  identifier: TableIdentifier,
): Promise<Table> {
  return requireDeadLetterTable(await loadTable(catalog, io, identifier));
}

function requireDeadLetterTable(table: Table): Table {
  requireWritable(table);
  const fields = new Map(currentSchema(table.metadata).fields.map((field) => [field.name, field]));
  const odd =
    COLUMNS.find(([name, kind]) => fields.get(name)?.type.kind !== kind)?.[0] ??
    [...fields.values()].find(({ name, required }) => required && COLUMNS.every(([known]) => known !== name))?.name;
  if (odd === undefined) return table;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `${formatTableName(table.identifier)} is no dead-letter table: column ${JSON.stringify(odd)} is not as it has to be. Name a table that does not exist: it is created.`,
  );
}
