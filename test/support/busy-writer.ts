/** A table that is written to every 100 ms while compactions of it follow each other, and what must hold at the end. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { deleteRows } from '../../deletes/index.js';
import { bindExpression, currentSchema, parseExpression } from '../../iceberg/index.js';
import { type CompactRequest, compactDirect } from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { OnlineReader } from '../../online/index.js';
import { stageRows } from '../../staging/index.js';
import { commitRowDelta, commitUpdates } from '../../tables/index.js';
import { allOf } from './all-of.js';
import { compactDeps, liveRows } from './compaction-lab.js';
import { DeleteWriter } from './delete-writer.js';
import { Lab, VIEW } from './materialization-lab.js';

const WRITE_EVERY_MS = 100;
const KEYS = 20;
/** Far in the future, so that all rows are in the past. */
const NOW_US = 4_000_000_000_000_000n;

/** Runs work over and over until the time is up; the first failure ends it. */
async function until(endMs: number, work: (round: number) => Promise<void>, everyMs = 0): Promise<number> {
  let rounds = 0;
  for (; performance.now() < endMs; rounds++) {
    const began = performance.now();
    await work(rounds);
    await sleep(Math.max(0, everyMs - (performance.now() - began)));
  }
  return rounds;
}

/** A file with the row of a key, of a round. */
async function insertFile(lab: Lab, k: number, round: number) {
  const source = await lab.source();
  const select = `SELECT ${k}::BIGINT, make_timestamptz(${round}::BIGINT * 1000000), NULL::TIMESTAMPTZ, ${round}::DOUBLE`;
  return lab.engine.withConnection((connection) => stageRows(connection, source, { select, namePrefix: randomUUID() }));
}

/**
 * A writer that upserts rows, by equality deletes and by deleted positions in turn; every compaction
 * succeeds and no row is lost or comes back. Files that lose their last row leave the table, compacted or not.
 */
export async function upsertsBesideCompaction(
  seconds: number,
  strategy: CompactRequest,
  formatVersion: 2 | 3,
): Promise<void> {
  const lab = await Lab.open();
  try {
    await lab.createSource();
    // As Iceberg's docs say for tables with several writers; a compaction that never rests is the worst of them.
    const updates = new Map([['commit.retry.num-retries', '20']]);
    await commitUpdates(await lab.source(), ({ properties }) =>
      properties.has('commit.retry.num-retries') ? null : [{ action: 'set-properties', updates }],
    );
    const writer = new DeleteWriter(lab, { namespace: ['demo'], name: 'source' });
    if (formatVersion === 3) await writer.upgradeToV3();
    await lab.append(Array.from({ length: KEYS }, (_, k) => ({ k, at: 1, v: -1 })));
    const model = new Map(Array.from({ length: KEYS }, (_, k) => [k, -1]));
    const endMs = performance.now() + seconds * 1000;
    const upsert = async (round: number): Promise<void> => {
      const k = (round * 7) % KEYS;
      // Every key meets both kinds.
      if ((round + Math.floor(round / KEYS)) % 2 === 0) {
        const deleteFiles = [await writer.equality({ k: 1 }, `SELECT ${k}::BIGINT AS k`)];
        await commitRowDelta(await lab.source(), { files: await insertFile(lab, k, round), deleteFiles });
      } else {
        const table = await lab.source();
        const filter = bindExpression(parseExpression(`k = ${k}`), currentSchema(table.metadata));
        await lab.engine.withConnection((connection) => deleteRows(table, connection, { filter }));
        await lab.append([{ k, at: round, v: round }]);
      }
      model.set(k, round);
    };
    let compacted = 0;
    const [written] = await allOf([
      until(endMs, upsert, WRITE_EVERY_MS),
      until(endMs, async () => {
        compacted += (await compactDirect(compactDeps(lab), strategy)).groups;
      }),
    ]);
    expect(written).toBeGreaterThan(0);
    expect(compacted).toBeGreaterThan(0);
    const rows = await liveRows(lab, await lab.source(), { select: 'k, v' });
    expect([...rows].sort()).toEqual([...model].map(([k, v]) => `${k}|${v}`).sort());
  } finally {
    await lab.close();
  }
}

/** A writer of newer rows and corrections of the newest; what is read of a key never goes back. */
export async function readsBesideCompaction(seconds: number): Promise<void> {
  const lab = await Lab.open();
  try {
    lab.view = { ...VIEW, onlineBuckets: 2 };
    await lab.createSource();
    await lab.append(Array.from({ length: KEYS }, (_, k) => ({ k, at: 1, v: 0 })));
    await materializeDirect(lab.deps, { view: 'readings' });
    const deps = compactDeps(lab, lab.definitions);
    const endMs = performance.now() + seconds * 1000;
    const model = new Map(Array.from({ length: KEYS }, (_, k) => [k, 0]));
    const reader = new OnlineReader(lab.deps);
    const entities = Array.from({ length: KEYS }, (_, k) => ({ k }));
    let last: readonly number[] = entities.map(() => 0);
    const read = async (): Promise<readonly number[]> => {
      const { rows } = await reader.getOnlineFeatures({
        view: 'readings',
        entities,
        nowUs: NOW_US,
        readTimeoutMs: 60_000,
      });
      return rows.map(([value]) => 0 - Number(value?.value));
    };
    let compacted = 0;
    await allOf([
      // Every write of a key has a smaller value than the one before, every other at the same event time, where only the order of writes tells which is right.
      until(
        endMs,
        async (round) => {
          const k = (round * 7) % KEYS;
          await lab.push({ k, at: 2 + Math.floor(round / (2 * KEYS)), v: -(round + 1) });
          model.set(k, round + 1);
        },
        WRITE_EVERY_MS,
      ),
      until(endMs, async (round) => {
        const strategy = round % 2 === 0 ? 'latest' : 'binpack';
        compacted += (await compactDirect(deps, { table: 'moraine_online.readings', strategy })).groups;
      }),
      until(endMs, async () => {
        const now = await read();
        expect(now.every((value, k) => value >= (last[k] ?? 0))).toBe(true);
        last = now;
      }),
    ]);
    expect(compacted).toBeGreaterThan(0);
    expect(await read()).toEqual([...model.values()]);
  } finally {
    await lab.close();
  }
}
