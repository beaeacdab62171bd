/** The work of folding: `latest` compaction of an online table with small writes, which takes two commits. */
import { expect } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { writeOnlineBatch } from '../../online/index.js';
import { materializationDeps } from '../../project/index.js';
import { filesOf } from './compaction-lab.js';
import { expectIntact } from './intact-table.js';
import type { SmallProject } from './small-project.js';
import type { Work } from './works.js';

const SENSORS = 40;
/** Sensor, second and reading. */
type Row = readonly [number, number, number];
/** Each is a file of its bucket. */
const ONE_BY_ONE: readonly Row[] = [121, 122, 123, 124].map((second) => [1, second, second * 10]);
/** Each is a file without a partition. */
const SMALL_WRITES = [140, 150, 160].map((second) =>
  [0, 1, 2, 3, 4, 5].map((sensor): Row => [sensor, second + sensor, second * 10 + sensor]),
);
const NEWEST: readonly Row[] = Array.from({ length: SENSORS }, (_, k) => (k < 6 ? [k, 160 + k, 1600 + k] : [k, k, k]));
/** What `latest` leaves: of each sensor the newest row of the folded files, and that of the files of its bucket. */
const LEFT: readonly Row[] = [...NEWEST, [0, 0, 0], [1, 124, 1240], ...[2, 3, 4, 5].map((k): Row => [k, k, k])];

const nameOf = ({ view }: SmallProject): string => `moraine_online.${view}`;

async function write(small: SmallProject, rows: readonly Row[]): Promise<void> {
  const values = rows.map(
    ([sensor, second, reading]) =>
      `(${sensor}::BIGINT, ${reading}::DOUBLE, make_timestamptz(${second * 1e6}), NULL::TIMESTAMPTZ)`,
  );
  const open = () =>
    Promise.resolve(`SELECT * FROM (VALUES ${values.join(', ')}) AS t(sensor, reading, event_ts, created)`);
  await writeOnlineBatch(await materializationDeps(small.project), { view: small.view, open });
}

export const FOLD: Work = {
  name: 'fold of small writes',
  workflow: 'compact',
  options: { buckets: 2 },
  prepare: async (small) => {
    await small.append(SENSORS, 0, SENSORS);
    await materializeDirect(await materializationDeps(small.project), { view: small.view });
    for (const row of ONE_BY_ONE) await write(small, [row]);
    for (const rows of SMALL_WRITES) await write(small, rows);
  },
  input: (small) => ({ table: nameOf(small), strategy: 'latest' }),
  run: {
    type: 'compactRun',
    workflowId: (small) => `compact/${nameOf(small)}`,
    input: (small) => ({ table: nameOf(small), searchAttributes: false }),
    requested: (small) => ({ request: FOLD.input(small) }),
  },
  result: { groups: 2, filesAdded: 2 },
  expectSound: async (small) => {
    const online = await small.online();
    await expectIntact(online);
    const select =
      'SELECT sensor, epoch(max(event_timestamp))::INT, max_by(reading, event_timestamp) FROM rows GROUP BY sensor ORDER BY ALL';
    expect((await small.query(online, select)).map((row) => row.map(Number))).toEqual(NEWEST);
  },
  expectDone: async (small) => {
    const rows = (await small.onlineRows()).map((row) => row.map(Number).join('|'));
    expect(rows.toSorted()).toEqual(LEFT.map((row) => row.join('|')).toSorted());
    const online = await small.online();
    expect(await filesOf(online)).toHaveLength(3);
    const operations = online.metadata.snapshots.map(({ summary }) => summary.get('operation'));
    expect(operations.filter((operation) => operation === 'replace')).toHaveLength(2);
  },
  written: (small) => ({ table: nameOf(small), rows: LEFT.length }),
};
