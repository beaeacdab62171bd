/**
 * Deletes and rows that arrive while `latest` or `binpack` folds small writes of an online table: every value served afterwards is that of a
 * plain list of what was written and deleted, and no row is lost, there twice, or back.
 */
import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { deleteRows } from '../../deletes/index.js';
import { bindExpression, currentSchema, type DataFile, parseExpression } from '../../iceberg/index.js';
import {
  type CompactRequest,
  commitCompaction,
  compactDirect,
  planCompaction,
  type RewrittenGroup,
  rewriteGroup,
} from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { OnlineReader } from '../../online/index.js';
import { stageRows } from '../../staging/index.js';
import { commitOverwrite, type PlannedFile } from '../../tables/index.js';
import { compactDeps, filesOf, liveRows } from '../support/compaction-lab.js';
import { DeleteWriter } from '../support/delete-writer.js';
import { Lab, type SourceRow, VIEW } from '../support/materialization-lab.js';

const ONLINE = 'moraine_online.readings';
const NAME = { namespace: ['moraine_online'], name: 'readings' };
const NOW_US = 1_000_000n * 1_000_000n;

/** A row, and the number of the commit that wrote it. */
type Written = SourceRow & { readonly commit: number };

/** The online table, and the list of its rows. */
class Folded {
  readonly lab: Lab;
  readonly #entities: number;
  rows: readonly Written[] = [];
  #commits = 0;

  private constructor(lab: Lab, entities: number) {
    this.lab = lab;
    this.#entities = entities;
  }

  /** Rows of a run in two buckets, four more of one entity in its bucket, and three small writes on top. */
  static async create(version: 2 | 3, entities: number): Promise<Folded> {
    const lab = await Lab.open();
    onTestFinished(() => lab.close());
    lab.view = { ...VIEW, onlineBuckets: 2 };
    await lab.createSource();
    const made = new Folded(lab, entities);
    const first = made.#keys.map((k) => ({ k, at: 10, v: k }));
    await lab.append(first);
    await materializeDirect(lab.deps, { view: 'readings', nowUs: NOW_US });
    made.#note(first);
    if (version === 3) await made.#writer.upgradeToV3();
    for (const v of [100, 200, 300, 400]) await made.push([{ k: 1, at: 20 + v / 100, v }]);
    for (const at of [40, 50, 60]) await made.push([0, 1, 2, 3, 4, 5].map((k) => ({ k, at: at + k, v: at * 100 + k })));
    return made;
  }

  get #keys(): readonly number[] {
    return Array.from({ length: this.#entities }, (_, k) => k);
  }

  get #writer(): DeleteWriter {
    return new DeleteWriter(this.lab, NAME);
  }

  #note(rows: readonly SourceRow[]): void {
    this.#commits += 1;
    this.rows = [...this.rows, ...rows.map((row) => ({ ...row, commit: this.#commits }))];
  }

  async push(rows: readonly SourceRow[]): Promise<void> {
    await this.lab.pushRows(rows);
    this.#note(rows);
  }

  #without(isGone: (row: SourceRow) => boolean): void {
    this.rows = this.rows.filter((row) => !isGone(row));
  }

  /** Every live row as `k|at|v`. */
  async live(): Promise<readonly string[]> {
    return await liveRows(this.lab, await this.lab.online(), {
      select: 'k, epoch(event_timestamp)::BIGINT, v::BIGINT',
    });
  }

  async deleteByPosition(k: number, isGone: (at: number) => boolean): Promise<void> {
    const table = await this.lab.online();
    const found = await liveRows(this.lab, table, { select: 'k, epoch(event_timestamp)::BIGINT, file, row' });
    const places = found.map((row) => row.split('|')).filter(([key, at]) => Number(key) === k && isGone(Number(at)));
    expect(places.length).toBeGreaterThan(0);
    const files = new Map((await filesOf(table)).map((planned) => [planned.file.filePath, planned]));
    for (const path of new Set(places.map(([, , file]) => file ?? ''))) {
      const { specId, partition } = files.get(path)?.file ?? expect.unreachable();
      const positions = places.filter(([, , file]) => file === path).map(([, , , row]) => Number(row));
      const writer = this.#writer;
      const deletes =
        table.metadata.formatVersion === 3
          ? await writer.vectors([{ path, positions }], { specId, partition })
          : [await writer.positions(positions.map((position) => ({ path, position })), { specId, partition })]; // biome-ignore format: one line
      await writer.commit(deletes);
    }
    this.#without((row) => row.k === k && isGone(row.at));
  }

  async deleteRows(condition: string, isGone: (row: SourceRow) => boolean): Promise<void> {
    const table = await this.lab.online();
    const filter = bindExpression(parseExpression(condition), currentSchema(table.metadata));
    await this.lab.engine.withConnection((connection) => deleteRows(table, connection, { filter }));
    this.#without(isGone);
  }

  /** An equality delete for all rows of the table. */
  async deleteEqual(columns: readonly ('k' | 'event_timestamp')[], k: number, at: number | null): Promise<void> {
    const { metadata } = await this.lab.online();
    const idOf = (name: string): number =>
      currentSchema(metadata).fields.find((field) => field.name === name)?.id ?? expect.unreachable();
    const specId = metadata.partitionSpecs.find(({ fields }) => fields.length === 0)?.specId ?? expect.unreachable();
    const values = {
      k: `${k}::BIGINT AS k`,
      event_timestamp: `make_timestamptz(${(at ?? 0) * 1e6}) AS event_timestamp`,
    };
    const deleted = await this.#writer.equality(
      Object.fromEntries(columns.map((name) => [name, idOf(name)])),
      `SELECT ${columns.map((name) => values[name]).join(', ')}`,
      { specId },
    );
    await this.#writer.commit([deleted]);
    this.#without((row) => row.k === k && (at === null || row.at === at));
  }

  /** An equality delete of an entity's rows in the files of its bucket, which reaches no file without a partition. */
  async deleteEqualInBucket(k: number): Promise<void> {
    const { specId, partition } = await this.#fileWith(k, (planned) => planned.spec.fields.length > 0);
    const { metadata } = await this.lab.online();
    const id = currentSchema(metadata).fields.find(({ name }) => name === 'k')?.id ?? expect.unreachable();
    await this.#writer.commit([
      await this.#writer.equality({ k: id }, `SELECT ${k}::BIGINT AS k`, { specId, partition }),
    ]);
    this.#without((row) => row.k === k && row.at < 40);
  }

  /** Another engine's copy-on-write: the file of a small write is replaced by one without an entity's row. */
  async overwriteWithout(k: number, at: number): Promise<void> {
    const table = await this.lab.online();
    const time = `make_timestamptz(${at * 1e6})`;
    const { filePath, specId } = await this.#fileWith(k, ({ spec }) => spec.fields.length === 0, at);
    const spec = table.metadata.partitionSpecs.find((one) => one.specId === specId) ?? expect.unreachable();
    const columns = currentSchema(table.metadata).fields.map(({ name }) => name);
    const select = `SELECT ${columns.join(', ')} FROM read_parquet('${filePath}') WHERE NOT (k = ${k} AND event_timestamp = ${time})`;
    const files = await this.lab.engine.withConnection((connection) =>
      stageRows(connection, table, { select, namePrefix: randomUUID(), sortBy: [], spec }),
    );
    await commitOverwrite(table, { removeFiles: [filePath], files });
    this.#without((row) => row.k === k && row.at === at);
  }

  async #fileWith(k: number, isMeant: (planned: PlannedFile) => boolean, at?: number): Promise<DataFile> {
    const table = await this.lab.online();
    const select = 'k, epoch(event_timestamp)::BIGINT, file';
    const rows = (await liveRows(this.lab, table, { select })).map((row) => row.split('|'));
    const paths = rows.filter(([key, time]) => Number(key) === k && (at === undefined || Number(time) === at));
    const found = (await filesOf(table)).find(
      (planned) => isMeant(planned) && paths.some(([, , path]) => path === planned.file.filePath),
    );
    return found?.file ?? expect.unreachable();
  }

  /** The newest row of each entity by time and commit; null: it has none. */
  #expected(): readonly (number | null)[] {
    return this.#keys.map((k) => {
      const [newest] = this.rows.filter((row) => row.k === k).sort((a, b) => b.at - a.at || b.commit - a.commit);
      return newest?.v ?? null;
    });
  }

  async expectRight(strategy: CompactRequest['strategy'], isCompacted: boolean): Promise<void> {
    const request = {
      view: 'readings',
      entities: this.#keys.map((k) => ({ k })),
      nowUs: NOW_US,
      readTimeoutMs: 60_000,
    };
    for (const cacheBytes of [0, 2 ** 24]) {
      const reader = new OnlineReader({ ...this.lab.deps, cacheBytes, queueTimeoutMs: 60_000 });
      const { rows } = await reader.getOnlineFeatures(request);
      await reader.close();
      expect(rows.map(([value]) => value?.value ?? null)).toEqual(this.#expected());
    }
    const live = await this.live();
    const all = this.rows.map(({ k, at, v }) => `${k}|${at}|${v}`);
    expect(live.filter((row) => !all.includes(row))).toEqual([]);
    expect(live).toHaveLength(new Set(live).size);
    // Of rows that tie in time one file keeps the newest.
    const isStanding = ({ k, at, commit }: Written) =>
      !this.rows.some((row) => row.k === k && row.at === at && row.commit > commit);
    const standing = this.rows.filter(isStanding).map(({ k, at, v }) => `${k}|${at}|${v}`);
    if (strategy === 'binpack' && isCompacted) expect(standing.filter((row) => !live.includes(row))).toEqual([]);
  }
}

interface Arrival {
  readonly name: string;
  readonly arrive: (folded: Folded) => Promise<void>;
  /** It takes an entity as a whole: what it means does not depend on which older rows `latest` has left. */
  readonly isWhole?: boolean;
}

const ofKey = (key: number) => (row: SourceRow) => row.k === key;

const ARRIVALS: readonly Arrival[] = [
  {
    name: 'positions of the newest row of an entity',
    arrive: (folded) => folded.deleteByPosition(3, (at) => at === 63),
  },
  {
    name: 'positions of all rows of an entity',
    arrive: (folded) => folded.deleteByPosition(1, () => true),
    isWhole: true,
  },
  { name: 'positions of a row of a bucket', arrive: (folded) => folded.deleteByPosition(7, () => true), isWhole: true },
  {
    name: 'rows of a time, by Moraine',
    arrive: (folded) => folded.deleteRows(`event_timestamp = '1970-01-01T00:01:02Z'`, ({ at }) => at === 62),
  },
  {
    name: 'every row of a small write, by Moraine',
    arrive: (folded) => folded.deleteRows(`event_timestamp >= '1970-01-01T00:01:00Z'`, ({ at }) => at >= 60),
  },
  { name: 'an entity, by Moraine', arrive: (folded) => folded.deleteRows('k = 2', ofKey(2)), isWhole: true },
  { name: 'an entity, by an equality delete', arrive: (folded) => folded.deleteEqual(['k'], 1, null), isWhole: true },
  {
    name: 'a row, by an equality delete of entity and time',
    arrive: (folded) => folded.deleteEqual(['k', 'event_timestamp'], 4, 64),
  },
  {
    name: 'an entity, by an equality delete in its bucket, which reaches no small write',
    arrive: (folded) => folded.deleteEqualInBucket(1),
  },
  {
    name: 'a row, by copy-on-write of a small write',
    arrive: (folded) => folded.overwriteWithout(5, 65),
  },
];

/** Newer, equal in time, older, and equal in time to a row of a bucket. */
const PUSHED: readonly SourceRow[] = [
  { k: 0, at: 70, v: 7_000 },
  { k: 3, at: 63, v: 7_003 },
  { k: 4, at: 5, v: 7_004 },
  { k: 7, at: 10, v: 7_007 },
];

interface Scenario {
  readonly name: string;
  readonly strategy: CompactRequest['strategy'];
  /** Of the run below the small writes: beside many its rows stay in one file. */
  readonly entities: number;
  readonly groups: number;
  readonly moments: readonly ('before the commit' | 'between the commits')[];
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'latest, small writes into one, and a bucket',
    ...{ strategy: 'latest', entities: 40, groups: 2 },
    moments: ['before the commit', 'between the commits'],
  },
  {
    name: 'latest, the whole table into buckets',
    ...{ strategy: 'latest', entities: 10, groups: 1 },
    moments: ['before the commit'],
  },
  {
    name: 'binpack, small writes into buckets, and a bucket',
    ...{ strategy: 'binpack', entities: 10, groups: 2 },
    moments: ['before the commit', 'between the commits'],
  },
];

/** One pass of a compaction, while something else happens. @returns how many groups were planned */
async function foldBeside(
  { lab }: Folded,
  strategy: CompactRequest['strategy'],
  moment: Scenario['moments'][number],
  arrive: () => Promise<void>,
): Promise<number> {
  const deps = compactDeps(lab, lab.definitions);
  const reference = await planCompaction(deps, { table: ONLINE, strategy }, { nowUs: NOW_US });
  const planLocation = reference.planLocation ?? expect.unreachable();
  const staged: RewrittenGroup[] = [];
  for (let group = 0; group < reference.groups; group += 1) staged.push(await rewriteGroup(deps, planLocation, group));
  if (moment === 'before the commit') await arrive();
  let commits = 0;
  const loadTable = async (name: string) => {
    commits += 1;
    if (moment === 'between the commits' && commits === 2) await arrive();
    return await deps.loadTable(name);
  };
  await commitCompaction({ ...deps, loadTable }, planLocation, staged);
  if (moment === 'between the commits') expect(commits).toBeGreaterThan(1);
  return reference.groups;
}

describe.each(SCENARIOS)('$name', ({ strategy, entities, groups, moments }) => {
  describe.each(moments)('%s', (moment) => {
    const cases = ARRIVALS.filter(({ isWhole = false }) => moment === 'before the commit' || isWhole).map(
      (arrival, index) => ({ ...arrival, isPushed: index % 2 === groups % 2, version: index % 4 < 2 ? 2 : 3 }) as const,
    );
    it.each(cases)('$name, in version $version, with a push: $isPushed', async ({ arrive, isPushed, version }) => {
      const folded = await Folded.create(version, entities);
      await folded.expectRight(strategy, false);
      const planned = await foldBeside(folded, strategy, moment, async () => {
        await arrive(folded);
        if (isPushed) await folded.push(PUSHED);
      });
      expect(planned).toBe(groups);
      await folded.expectRight(strategy, true);
      const request = { table: ONLINE, strategy };
      await compactDirect(compactDeps(folded.lab, folded.lab.definitions), request, { nowUs: NOW_US });
      await folded.expectRight(strategy, true);
    });
  });
});
