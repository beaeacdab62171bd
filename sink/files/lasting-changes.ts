/** Of the changes of a schema that records ask for those that make rows: what records ask for that are none after all changes nothing. */
import { MoraineError } from '../../errors/index.js';
import type { Schema, SchemaChange } from '../../iceberg/index.js';
import type { EvolvedSchema } from '../sink-records.js';

interface AskedMisfit {
  readonly line: number;
  readonly problem: string;
  /** The column whose value is wrong. */
  readonly column: string | null;
}

/** What records ask for by one schema. */
export interface AskedChanges {
  readonly changes: readonly SchemaChange[];
  /** Those that are no rows by it. */
  readonly misfits: readonly AskedMisfit[];
}

/** Problems that a change may mend. */
const ASKING: ReadonlySet<string> = new Set(['MISSING_REQUIRED', 'VALUE_MISFIT', 'EXTRA_FIELD']);
/** A record that is a row only by what another one asks for that is none is found in a further pass. */
const MAX_PASSES = 10;
/** So many changes follow one from the other. */
const MAX_ROUNDS = 1_000;

/**
 * All changes that the records ask for, one after the other, until they ask for no more.
 * @param ask what records ask for by a schema, all but those of some lines
 * @throws MoraineError `INTERNAL` for records that ask without end
 */
export async function lastingChanges(
  schema: Schema,
  ask: (schema: Schema, without: ReadonlySet<number>) => Promise<AskedChanges>,
  evolved: EvolvedSchema,
): Promise<readonly SchemaChange[]> {
  const known = new Set(schema.fields.map(({ name }) => name));
  const hopeless = new Set<number>();
  let last: readonly SchemaChange[] = [];
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    const { changes, left } = await changesWithout(schema, (current) => ask(current, hopeless), evolved);
    if (left.length === 0) return changes;
    // What does not fit a new column may fit it once those are gone that do not fit the columns that there were.
    const first = left.filter(({ column }) => column !== null && known.has(column));
    for (const { line } of first.length > 0 ? first : left) hopeless.add(line);
    last = changes;
  }
  return last;
}

/** @returns the changes, and the records that have asked for some and are no rows after them */
async function changesWithout(
  schema: Schema,
  ask: (schema: Schema) => Promise<AskedChanges>,
  evolved: EvolvedSchema,
): Promise<{ readonly changes: readonly SchemaChange[]; readonly left: readonly AskedMisfit[] }> {
  const changes: SchemaChange[] = [];
  const asked = new Set<number>();
  for (let [round, current] = [0, schema]; round < MAX_ROUNDS; round += 1) {
    const wanted = await ask(current);
    const next = wanted.changes.length === 0 ? current : evolved(current, wanted.changes);
    const lines = wanted.misfits.filter(({ problem }) => ASKING.has(problem));
    if (next === current) return { changes, left: lines.filter(({ line }) => asked.has(line)) };
    for (const { line } of lines) asked.add(line);
    changes.push(...wanted.changes);
    current = next;
  }
  throw new MoraineError('INTERNAL', 'Records ask for changes of the schema without end.');
}
