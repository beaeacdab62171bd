/** Earlier states of tables, and how a request names them: by snapshot, by time, by tag, by branch. */
import type { HistoricalAsOf } from '../../features/index.js';
import type { SnapshotRef } from '../../iceberg/index.js';
import type { Random } from './random.js';
import type { TableState } from './table-history.js';
import { FIRST_SNAPSHOT_MS } from './table-writer.js';
import type { WorldTable } from './world.js';

/** The name of the tag or branch. */
const REF = 'as it was';

/**
 * Chooses the states that tables are read at, and makes the refs that it needs. Undefined where tables have no such states. Snapshots
 * are read with their own schema: only those with the schema of now fit the views.
 */
export function travel(random: Random, tables: readonly WorldTable[]): HistoricalAsOf | undefined {
  const kind = random.pick(['snapshots', 'time', 'tag', 'branch'] as const);
  if (kind === 'time') return asOfTime(random, tables);
  const states = tables.map((table) => ({ table, fitting: table.history.states.filter((one) => fits(table, one)) }));
  if (states.some(({ fitting }) => fitting.length === 0)) return undefined;
  for (const { table, fitting } of states) {
    table.read = random.pick(fitting);
    const ref: SnapshotRef = { snapshotId: table.read.snapshotId, type: kind === 'branch' ? 'branch' : 'tag' };
    if (kind !== 'snapshots') table.history.writer.refs.set(REF, ref);
  }
  if (kind !== 'snapshots') return { ref: REF };
  return { snapshots: new Map(tables.map(({ name, read }) => [name, read?.snapshotId ?? null])) };
}

const fits = ({ schema }: WorldTable, state: TableState): boolean => state.schemaId === schema.schemaId;

/** A time at which every table had a state that fits: theirs are a millisecond apart. */
function asOfTime(random: Random, tables: readonly WorldTable[]): HistoricalAsOf | undefined {
  const longest = Math.max(...tables.map(({ history }) => history.states.length));
  const at = ({ history }: WorldTable, index: number) => history.states[Math.min(index, history.states.length - 1)];
  const fitting = Array.from({ length: longest }, (_, index) => index).filter((index) =>
    tables.every((table) => {
      const state = at(table, index);
      return state !== undefined && fits(table, state);
    }),
  );
  if (fitting.length === 0) return undefined;
  const index = random.pick(fitting);
  for (const table of tables) table.read = at(table, index);
  return { asOfMs: FIRST_SNAPSHOT_MS + BigInt(index) };
}
