/** Online tables by hours of the event time, and by hours and buckets: written, read, rebuilt and compacted like those by buckets. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PartitionStrategy } from '../../../features/index.js';
import { compactDirect } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader, type OnlineSettings } from '../../../online/index.js';
import { compactDeps, filesOf, liveRows } from '../../support/compaction-lab.js';
import { Lab, type SourceRow, VIEW } from '../../support/materialization-lab.js';

const HOUR = 3_600;
const NOW = 100 * HOUR;
const US = 1_000_000n;
const KEYS = [1, 2, 3, 4, 5, 6, 7, 8];

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  lab.view = { ...VIEW, onlineBuckets: 2 };
  await lab.createSource();
});
afterEach(() => lab.close());

const use = (onlinePartitionStrategy: PartitionStrategy) => {
  lab.view = { ...lab.view, onlinePartitionStrategy };
};
const run = (settings?: OnlineSettings) =>
  materializeDirect({ ...lab.deps, ...(settings && { settings }) }, { view: 'readings', nowUs: BigInt(NOW) * US });
const compact = (strategy: 'latest' | 'binpack') =>
  compactDirect(
    compactDeps(lab, lab.definitions),
    { table: 'moraine_online.readings', strategy },
    { nowUs: BigInt(NOW) * US },
  );

/** The rows of an hour: one of each key, at its first second. */
const hourly = (hour: number, v: number, keys = KEYS): readonly SourceRow[] =>
  keys.map((k) => ({ k, at: hour * HOUR, v: v + k }));

/** Served values, by a reader that decodes, by one whose memory is too small for it, and by statements. */
async function served(keys: readonly number[] = KEYS, nowS = NOW): Promise<readonly unknown[]> {
  const answers: unknown[][] = [];
  for (const cacheBytes of [0, 2_000, 2 ** 24]) {
    const reader = new OnlineReader({ ...lab.deps, cacheBytes, queueTimeoutMs: 60_000 });
    const nowUs = BigInt(nowS) * US;
    const request = { view: 'readings', entities: keys.map((k) => ({ k })), nowUs, readTimeoutMs: 60_000 };
    answers.push((await reader.getOnlineFeatures(request)).rows.map(([value]) => value?.value ?? null));
    await reader.close();
  }
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[2]).toEqual(answers[0]);
  return answers[0] ?? [];
}

async function spec(): Promise<readonly string[]> {
  const { metadata } = await lab.online();
  const found = metadata.partitionSpecs.find(({ specId }) => specId === metadata.defaultSpecId);
  return (found?.fields ?? []).map(({ name, transform }) =>
    transform.kind === 'bucket' ? `${name} ${transform.numBuckets}` : `${name} ${transform.kind}`,
  );
}

const SPECS: Record<PartitionStrategy, readonly string[]> = {
  entity_hash: ['k_bucket 2'],
  timestamp: ['event_timestamp_hour hour'],
  hybrid: ['k_bucket 2', 'event_timestamp_hour hour'],
};

describe.each(['timestamp', 'hybrid'] as const)('a table of the strategy %s', (strategy) => {
  beforeEach(() => use(strategy));

  it('serves the newest row, late and future ones right, as the source and clients bring them', async () => {
    await lab.append([...hourly(10, 100), ...hourly(11, 200, [1, 2, 3]), ...hourly(50, 300, [1])]);
    expect((await run()).plan.kind).toBe('incremental');
    expect(await spec()).toEqual(SPECS[strategy]);
    expect(await served()).toEqual([301, 202, 203, 104, 105, 106, 107, 108]);
    // A late row wins over an older one, loses against a newer; a future one waits for its time.
    await lab.append([...hourly(10, 900, [1, 2]), ...hourly(12, 400, [2, 4]), ...hourly(120, 500, [8])]);
    await run();
    await lab.pushRows([...hourly(9, 950, [3]), ...hourly(60, 600, [3, 5])]);
    expect(await served()).toEqual([301, 402, 603, 404, 605, 106, 107, 108]);
    expect(await served(KEYS, 130 * HOUR)).toEqual([301, 402, 603, 404, 605, 106, 107, 508]);
    // A run writes the newest row of each entity: of key 1 only the late row is older than this.
    expect(await served(KEYS, 11 * HOUR)).toEqual([901, 202, 203, 104, 105, 106, 107, 108]);
    expect(await served([77], NOW)).toEqual([null]);
    expect(await served(KEYS, 5 * HOUR)).toEqual(KEYS.map(() => null));
  });

  it('serves the newest write where event times are equal, whichever files have them', async () => {
    await lab.append(hourly(10, 100, [1, 2]).map((row) => ({ ...row, created: 5 })));
    await run();
    await lab.pushRows(hourly(10, 200, [1]).map((row) => ({ ...row, created: 5 })));
    await lab.pushRows([...hourly(10, 300, [1, 2]), ...hourly(7, 0, [4])].map((row) => ({ ...row, created: 5 })));
    expect(await served([1, 2])).toEqual([301, 302]);
    for (const by of ['binpack', 'latest'] as const) {
      await lab.pushRows(hourly(10, 400, [2]).map((row) => ({ ...row, created: 4 })));
      for (let more = 0; more < 4; more += 1) await lab.pushRows(hourly(10, 500 + more, [5]));
      await compact(by);
      expect(await served([1, 2, 4, 5])).toEqual([301, 302, 4, 508]);
    }
  });

  it('is rebuilt where rows were deleted in the source, but for rows of clients', async () => {
    await lab.append([...hourly(10, 100), ...hourly(11, 200)]);
    await run();
    await lab.append(hourly(12, 300, [1, 2, 3]));
    await run();
    await lab.pushRows(hourly(13, 700, [4, 5]));
    await lab.pushRows(hourly(14, 800, [6, 7]), { pushed: false });
    await lab.deleteWhere(`epoch(event_ts) = ${11 * HOUR} OR k IN (2, 6, 7)`);
    expect((await run()).plan.kind).toBe('rebuild-buckets');
    expect(await served()).toEqual([301, null, 303, 704, 705, null, null, 108]);
    expect((await run()).plan.kind).toBe('nothing');
    const rows = await liveRows(lab, await lab.online(), { select: 'k, epoch(event_timestamp)::BIGINT / 3600, v' });
    expect(rows.filter((row) => row.startsWith('2|') || row.startsWith('7|'))).toEqual([]);
  });

  it('keeps one row of each entity through compaction by latest, in every hour', async () => {
    for (const hour of [10, 11, 12, 13]) {
      await lab.append(hourly(hour, hour * 10));
      await run();
    }
    await lab.append(hourly(120, 0, [1]));
    await run();
    const before = await served();
    await compact('latest');
    expect(await served()).toEqual(before);
    expect(before).toEqual(KEYS.map((k) => 130 + k));
    expect(await served([1], 121 * HOUR)).toEqual([1]);
    expect(await liveRows(lab, await lab.online(), { select: 'k' })).toHaveLength(KEYS.length + 1);
    const files = await filesOf(await lab.online());
    expect(new Set(files.map(({ file }) => file.partition.join())).size).toBe(files.length);
    // Few rows on top change nothing of the rest.
    await lab.append(hourly(14, 140, [1]));
    await run();
    expect(await compact('latest')).toMatchObject({ groups: 0 });
    expect((await served())[0]).toBe(141);
  });

  it('is changed to another, and back: old files are read right, a run lays them out anew, rows of clients stay', async () => {
    await lab.append([...hourly(10, 100), ...hourly(11, 200, [1, 2])]);
    await run();
    await lab.pushRows(hourly(12, 700, [3, 4]));
    for (const other of ['entity_hash', strategy, strategy === 'hybrid' ? 'timestamp' : 'hybrid'] as const) {
      use(other);
      const before = await served();
      expect(before).toEqual([201, 202, 703, 704, 105, 106, 107, 108]);
      expect((await run()).plan).toMatchObject({
        kind: 'full',
        reason: "the view's definition changed in its partitioning",
      });
      expect(await spec()).toEqual(SPECS[other]);
      expect(await served()).toEqual(before);
      const { metadata } = await lab.online();
      for (const { spec: of } of await filesOf(await lab.online())) expect(of.specId).toBe(metadata.defaultSpecId);
    }
    const { metadata } = await lab.online();
    const ids = metadata.partitionSpecs.flatMap(({ fields }) =>
      fields.map(({ fieldId, name }) => `${fieldId} ${name}`),
    );
    // A spec that was there before is the same one, and a field keeps its id.
    expect(metadata.partitionSpecs.filter(({ fields }) => fields.length > 0)).toHaveLength(3);
    expect(new Set(ids)).toEqual(new Set(['1000', '1001'].flatMap((id) => ids.filter((one) => one.startsWith(id)))));
    expect(new Set(ids).size).toBe(2);
  });
});

describe('a walk', () => {
  const HOURS = 40;
  beforeEach(async () => {
    use('timestamp');
    // Of key k the newest row is in hour k.
    await lab.append(Array.from({ length: HOURS }, (_, k) => ({ k, at: k * HOUR, created: 5, v: k })));
    await run();
    expect(await filesOf(await lab.online())).toHaveLength(HOURS);
  });

  const partsOf = async (keys: readonly number[], nowS: number, cacheBytes = 2 ** 24) => {
    const reader = new OnlineReader({ ...lab.deps, cacheBytes, queueTimeoutMs: 60_000 });
    const entities = keys.map((k) => ({ k }));
    const request = { view: 'readings', entities, nowUs: BigInt(nowS) * US, readTimeoutMs: 60_000 };
    const { rows } = await reader.getOnlineFeatures(request);
    const { parts } = reader.cacheStats;
    await reader.close();
    return [parts, rows.map(([value]) => value?.value ?? null)];
  };

  it('decodes the latest hours alone for a row that is there, and all for one that is not', async () => {
    expect(await partsOf([39], NOW)).toEqual([4, [39]]);
    expect(await partsOf([36], NOW)).toEqual([4, [36]]);
    expect(await partsOf([35, 39], NOW)).toEqual([12, [35, 39]]);
    expect(await partsOf([-1], NOW)).toEqual([HOURS, [null]]);
    expect(await partsOf([20], 20 * HOUR)).toEqual([4, [20]]);
    expect(await partsOf([20], 19 * HOUR)).toEqual([20, [null]]);
  });

  it.each([
    [1, 32],
    [9, 777],
  ])('goes on while another file may have a row of the same time (created %i)', async (created, expected) => {
    // One file of two hours: its latest time is that of the hour of key 32, the eighth that a walk takes.
    await lab.pushRows([
      { k: 32, at: 32 * HOUR, created, v: 777 },
      { k: 1, at: HOUR, created, v: 888 },
    ]);
    expect((await filesOf(await lab.online())).filter(({ spec: { fields } }) => fields.length === 0)).toHaveLength(1);
    expect(await served([32, 1, 31])).toEqual([expected, expected === 32 ? 1 : 888, 31]);
    expect(await served([32])).toEqual([expected]);
  });

  it('is left to a statement where it would take more than half of the memory', async () => {
    const [parts, rows] = await partsOf([0, -1, 39], NOW, 40_000);
    expect(rows).toEqual([0, null, 39]);
    expect(parts).toBeGreaterThan(0);
    expect(parts).toBeLessThan(20);
  });
});

describe('a new table', () => {
  it.each([
    [{ partitionStrategy: 'timestamp', buckets: 3 }, undefined, ['event_timestamp_hour hour']],
    [{ partitionStrategy: 'hybrid', buckets: 3 }, undefined, ['k_bucket 3', 'event_timestamp_hour hour']],
    [{ partitionStrategy: 'hybrid' }, undefined, ['k_bucket 4', 'event_timestamp_hour hour']],
    [{ partitionStrategy: 'hybrid' }, 'entity_hash', ['k_bucket 16']],
    [{}, undefined, ['k_bucket 16']],
  ] as const)('by the settings %j and the view (%s) has %j', async (settings, ofView, expected) => {
    const { name, entities, source, ttlMs, online, features } = VIEW;
    lab.view = {
      name,
      entities,
      source,
      ttlMs,
      online,
      features,
      ...(ofView === undefined ? {} : { onlinePartitionStrategy: ofView }),
    };
    await lab.append(hourly(1, 0));
    await run({ namespace: ['moraine_online'], ...settings });
    expect(await spec()).toEqual(expected);
    // The settings are those of new tables.
    await lab.append(hourly(2, 0));
    await run({ namespace: ['moraine_online'], partitionStrategy: 'timestamp', buckets: 7 });
    expect(await spec()).toEqual(expected);
  });
});
