/**
 * Tables under appends, upserts, deletes, rewrites that are committed later than they were staged, repacked manifests and upgrades,
 * in random order: after every step the rows are those of a map by id, and from version 3 on each row keeps its row id and
 * last-updated sequence number for as long as nobody writes it anew. `MORAINE_WORLD` repeats one of the worlds of `MORAINE_SEED`.
 */
import { expect, test } from 'vitest';
import { isMoraineError } from '../../errors/index.js';
import { commitRewrite, commitRewriteManifests, commitUpdates } from '../../tables/index.js';
import { numberIn } from '../support/environment.js';
import { runs, seed, timeLimit } from '../support/property-runs.js';
import { type NewRow, type ReadRow, RowTable, type StagedRewrite } from '../support/row-table.js';
import { Random } from '../worlds/random.js';

const WORLDS = runs(3);
const STEPS = 14;
const ONLY = numberIn('MORAINE_WORLD', /^\d{1,7}$/);
/** The same in every run of the test command; nights go on from other seeds. */
const SEED = seed ?? 1;
const indexes = ONLY === undefined ? Array.from({ length: WORLDS }, (_, index) => index) : [ONLY];

test.each(indexes)(`rows and row ids in world %i of seed ${SEED}`, { timeout: timeLimit(60_000) }, async (index) => {
  const random = new Random(`row-level/${SEED}/${index}`);
  const isPartitioned = random.chance(0.4);
  const table = await RowTable.create(random.chance(0.5) ? 3 : 2, isPartitioned ? 'part' : undefined);
  const world = new World(random, table, isPartitioned);
  try {
    for (let step = 0; step < STEPS; step++) await world.step();
  } catch (cause) {
    throw new Error(`MORAINE_SEED=${SEED} MORAINE_WORLD=${index}\n${world.steps.join('\n')}\n${String(cause)}`, {
      cause,
    });
  }
});

type Lineage = Pick<ReadRow, 'rowId' | 'sequenceNumber'>;

class World {
  readonly steps: string[] = [];
  readonly #random: Random;
  readonly #table: RowTable;
  readonly #isPartitioned: boolean;
  /** The rows that there should be, by id: `part/x`. */
  readonly #rows = new Map<number, string>();
  /** Row ids and numbers as they were first seen. */
  readonly #lineage = new Map<number, Lineage>();
  readonly #staged: StagedRewrite[] = [];
  /** Locations of files that committed rewrites replaced. */
  readonly #rewritten = new Set<string>();
  #nextId = 1;

  constructor(random: Random, table: RowTable, isPartitioned: boolean) {
    this.#random = random;
    this.#table = table;
    this.#isPartitioned = isPartitioned;
  }

  async step(): Promise<void> {
    const operations: readonly (readonly [number, () => Promise<void>])[] = [
      [4, () => this.#append()],
      [this.#isPartitioned ? 0 : 2, () => this.#upsert()],
      [4, () => this.#delete()],
      [4, () => this.#stage()],
      [4, () => this.#commitStaged()],
      [1, () => this.#repack()],
      [1, () => this.#upgrade()],
    ];
    await this.#random.weighted(operations)();
    await this.#check();
  }

  #newRow(id: number): NewRow {
    return [id, this.#random.pick(['a', 'b']), this.#random.int(0, 99)];
  }

  #some(): number[] {
    return [...this.#rows.keys()].filter(() => this.#random.chance(0.3));
  }

  #remember(rows: readonly NewRow[]): void {
    for (const [id, part, x] of rows) this.#rows.set(id, `${part}/${String(x)}`);
  }

  async #append(): Promise<void> {
    const rows = Array.from({ length: this.#random.int(1, 4) }, () => this.#newRow(this.#nextId++));
    this.steps.push(`append ${rows.map(([id]) => id).join(' ')}`);
    await this.#table.append(rows);
    this.#remember(rows);
  }

  async #upsert(): Promise<void> {
    const rows = [...this.#some(), this.#nextId++].map((id) => this.#newRow(id));
    this.steps.push(`upsert ${rows.map(([id]) => id).join(' ')}`);
    await this.#table.upsert(rows);
    this.#remember(rows);
    for (const [id] of rows) this.#lineage.delete(id);
  }

  async #delete(): Promise<void> {
    const ids = this.#some();
    if (ids.length === 0) return;
    this.steps.push(`delete ${ids.join(' ')}`);
    const { rows } = await this.#table.deleteWhere(`id IN (${ids.join(', ')})`);
    expect(rows).toBe(BigInt(ids.length));
    for (const id of ids) this.#rows.delete(id);
  }

  async #stage(): Promise<void> {
    const paths = (await this.#table.dataPaths()).filter(() => this.#random.chance(0.7));
    if (paths.length === 0) return;
    this.steps.push(`stage a rewrite of ${paths.length} files`);
    this.#staged.push(await this.#table.stageRewrite(paths));
  }

  async #commitStaged(): Promise<void> {
    const staged = this.#staged.shift();
    if (staged === undefined) return;
    this.steps.push('commit the rewrite that was staged first');
    const { metadata } = await this.#table.load();
    try {
      await commitRewrite(staged.table, staged.request);
      for (const path of staged.request.removeFiles) this.#rewritten.add(path);
    } catch (error) {
      if (!isMoraineError(error, 'COMMIT_CONFLICT')) throw error;
      // Only where another rewrite took a file or rows have got their ids since: deletes, of whole files too, are carried.
      const isRewritten = staged.request.removeFiles.some((path) => this.#rewritten.has(path));
      const isUpgraded = metadata.formatVersion === 3 && staged.table.metadata.nextRowId !== metadata.nextRowId;
      expect(isRewritten || isUpgraded, error.message).toBe(true);
    }
  }

  async #repack(): Promise<void> {
    this.steps.push('repack manifests');
    await commitRewriteManifests(await this.#table.load(), {});
  }

  async #upgrade(): Promise<void> {
    this.steps.push('upgrade');
    await commitUpdates(await this.#table.load(), ({ formatVersion }) =>
      formatVersion === 3 ? null : [{ action: 'upgrade-format-version', formatVersion: 3 }],
    );
  }

  async #check(): Promise<void> {
    const rows = await this.#table.rows();
    expect(rows.map(({ id, part, x }) => [Number(id), `${part}/${String(x)}`])).toEqual(
      [...this.#rows].sort(([a], [b]) => a - b),
    );
    const withIds = rows.filter(({ rowId }) => rowId !== null);
    expect(new Set(withIds.map(({ rowId }) => rowId)).size).toBe(withIds.length);
    // All rows of a snapshot have ids, or none: those from before an upgrade.
    expect([0, rows.length]).toContain(withIds.length);
    for (const { id, rowId, sequenceNumber } of withIds) {
      const known = this.#lineage.get(Number(id));
      if (known === undefined) this.#lineage.set(Number(id), { rowId, sequenceNumber });
      else expect([id, rowId, sequenceNumber]).toEqual([id, known.rowId, known.sequenceNumber]);
    }
  }
}
