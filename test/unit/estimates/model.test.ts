/** The model of costs: arithmetic worked out by hand, and what must never fall when a run grows. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Coefficients,
  type MaterializationFacts,
  materializationCost,
  type RetrievalFacts,
  retrievalCost,
} from '../../../estimates/index.js';

const MIB = 2 ** 20;
const NO_READS = {
  files: 0,
  rows: 0,
  fileBytes: 0,
  readBytes: 0,
  requests: 0,
  deleteFiles: 0,
  deleteBytes: 0,
};

/** Round figures, so that sums can be worked out by hand. */
const KNOWN: Coefficients = {
  cpuSeconds: {
    run: 1,
    shards: 0.5,
    rows: 2,
    cells: 0.25,
    writtenFiles: 0.125,
    readMib: 0.03125,
    fetchedMib: 0.03125,
    pairs: 4,
    sortedRows: 8,
    parts: 0.25,
    stagedCells: 2,
    entityRows: 6,
  },
  memoryMib: { run: 200, rows: 100, collectedCells: 50 },
  catalogCalls: 6,
  traffic: {
    perRun: { readRequests: 10, writeRequests: 5, readBytes: 1000, writtenBytes: 2000 },
    perShard: { readRequests: 3, writeRequests: 2, readBytes: 100, writtenBytes: 200 },
    perFile: { readBytes: 7, writtenBytes: 11 },
    perSourceByte: 0.5,
    perStagedByte: 1.5,
    perFileColumn: 40,
  },
};

/** 4 million rows of one entity each bucket of 8: every bucket has a row. */
const FACTS: MaterializationFacts = {
  files: 10,
  rows: 4_000_000,
  fileBytes: 300 * MIB,
  readBytes: 160 * MIB,
  requests: 30,
  deleteFiles: 2,
  deleteBytes: 500,
  isRemote: true,
  features: 5,
  rowBytes: 64,
  entities: 1000,
  buckets: 8,
  mayBeOneFile: false,
  shards: 2,
  endBytes: MIB / 4,
  memoryLimitBytes: 4096 * MIB,
};

describe('a materialization in parts', () => {
  it('reads each file once, and what the parts leave', () => {
    // Four parts of a million rows: each has all 1000 entities, in a file for each of two shards, of 48 kB: read in one request.
    const whole = materializationCost({ ...FACTS, shards: 1 }, KNOWN);
    const cost = materializationCost({ ...FACTS, parts: 4 }, KNOWN);
    const staged = 4 * 1000 * 64 * 1.5;
    expect(cost.readBytes - whole.readBytes).toBe(100 + staged);
    expect(cost.writtenBytes - whole.writtenBytes).toBe(200 + staged);
    // Of the shard; of eight files written and read; of four lists that are written, read by two shards, and discarded.
    expect(cost.requests - whole.requests).toBe(3 + 2 + 8 + 8 + 4 * (1 + 2 + 1));
    expect(cost.shards).toBe(2);
    // A part collects 9 values of 1000 rows: more than the 2000 rows that a shard reads in place of 4 million.
    expect(cost.shardMemoryBytes).toBe(Math.round((200 + 50 * 0.009) * MIB));
  });
});

describe('a materialization', () => {
  it('costs what its causes cost', () => {
    // 1000 entities with 4000 rows each: all are found, in all 8 buckets.
    // CPU: 1 + 2 * 0.5 + 2 * 4 * 2 + 2 * 4 * 5 * 0.25 + 8 * 0.125 + 2 * 160 * 0.0625.
    const dataBytes = 1000 * 64 * 0.5 + 8 * (5 + 3) * 40;
    expect(materializationCost(FACTS, KNOWN)).toEqual({
      cpuSeconds: 1 + 1 + 16 + 10 + 1 + 20,
      readBytes: 1000 + 2 * 100 + 8 * 7 + 2 * (160 * MIB + 500),
      writtenBytes: 2000 + 2 * 200 + 8 * 11 + dataBytes,
      writeRequests: 5 + 2 * 2 + 8,
      requests: 10 + 2 * (3 + 30 + 2) + (5 + 2 * 2 + 8),
      catalogCalls: 6,
      shards: 2,
      shardMemoryBytes: (200 + (100 * 2 * 4) / 2) * MIB,
      rows: 1000,
      dataFiles: 8,
    });
  });

  it('asks nothing of a store where tables are local, and fetches nothing', () => {
    const cost = materializationCost({ ...FACTS, isRemote: false }, KNOWN);
    expect([cost.requests, cost.writeRequests, cost.cpuSeconds]).toEqual([0, 0, 39]);
  });

  it('with nothing to do costs nothing', () => {
    const cost = materializationCost({ ...FACTS, ...NO_READS, shards: 0 }, KNOWN);
    expect([cost.cpuSeconds, cost.readBytes, cost.writtenBytes, cost.requests]).toEqual([0, 0, 0, 0]);
  });

  it('of few rows into a table that has some adds one file', () => {
    expect(materializationCost({ ...FACTS, mayBeOneFile: true }, KNOWN).dataFiles).toBe(1);
    const many = { ...FACTS, mayBeOneFile: true, entities: 20_000 };
    expect(materializationCost(many, KNOWN).dataFiles).toBe(8);
  });

  it('finds as many entities as rows can have', () => {
    // As many rows as entities: 1 - 1/e of them.
    const cost = materializationCost({ ...FACTS, rows: 1000, entities: 1000 }, KNOWN);
    expect(cost.rows).toBe(Math.round(1000 * (1 - Math.exp(-1))));
  });

  it('uploads large files in parts', () => {
    // 8 files of 40 MiB: three parts, and a request before and after them.
    const cost = materializationCost({ ...FACTS, rowBytes: (640 * MIB - 2 * 2560) / 1000 }, KNOWN);
    expect(cost.writeRequests).toBe(5 + 2 * 2 + 8 * 5);
  });

  it('takes no more memory than the engine may and the process does', () => {
    const cost = materializationCost({ ...FACTS, memoryLimitBytes: 300 * MIB }, KNOWN);
    expect(cost.shardMemoryBytes).toBe(500 * MIB);
  });
});

const VIEW = {
  ...NO_READS,
  files: 4,
  rows: 2_000_000,
  readBytes: 64 * MIB,
  requests: 12,
  readFeatures: 3,
  features: 2,
  rowBytes: 16,
  entities: 1_000_000,
  readRowBytes: 40,
} as const;
const RETRIEVED: RetrievalFacts = {
  isRemote: true,
  entityRows: 500_000,
  entityReads: { ...NO_READS, files: 1, rows: 500_000, readBytes: 16 * MIB, requests: 2 },
  entityColumns: 3,
  entityRowBytes: 20,
  views: [{ ...VIEW, method: 'max-join-back' }],
  shards: 1,
  endBytes: MIB / 4,
  memoryLimitBytes: 4096 * MIB,
};

describe('a retrieval', () => {
  it('costs what its causes cost', () => {
    // CPU: 1 + 0.5 + 2 * 2 + 2 * 3 * 0.25 + 0.5 * 6 + 1 million pairs * 4 + 80 MiB * 0.0625.
    expect(retrievalCost(RETRIEVED, KNOWN)).toEqual({
      cpuSeconds: 1 + 0.5 + 4 + 1.5 + 3 + 4 + 5,
      readBytes: 1000 + 100 + 7 + 80 * MIB,
      writtenBytes: 2000 + 200 + 11 + 500_000 * 36 * 0.5 + 5 * 40,
      writeRequests: 5 + 2 + 1,
      requests: 10 + 3 + 14 + 8,
      catalogCalls: 6,
      shards: 1,
      shardMemoryBytes: (200 + 100 * 2) * MIB,
      rows: 500_000,
      dataFiles: 1,
    });
  });

  it('that sorts costs by rows and not by pairs', () => {
    const sorted = retrievalCost({ ...RETRIEVED, views: [{ ...VIEW, method: 'asof-join-back' }] }, KNOWN);
    expect(sorted.cpuSeconds).toBe(1 + 0.5 + 4 + 1.5 + 3 + 8 * 2.5 + 5);
  });

  it('reads the files of every view in every shard', () => {
    const cost = retrievalCost({ ...RETRIEVED, shards: 3, views: [...RETRIEVED.views, ...RETRIEVED.views] }, KNOWN);
    expect(cost.readBytes).toBe(1000 + 3 * 100 + 3 * 7 + 3 * (16 + 64 + 64) * MIB);
  });
});

describe('a retrieval in parts', () => {
  // Two parts of the view and one of the entity rows, for four shards.
  const PARTED: RetrievalFacts = {
    ...RETRIEVED,
    shards: 4,
    entityParts: 1,
    views: [{ ...VIEW, method: 'max-join-back', parts: 2 }],
  };

  it('costs one pass over each source, and staging its rows', () => {
    // 8 files of 15 MB, each read in its end and two ranges, and 4 of 3.75 MB, each in its end and one.
    const staged = (2_000_000 * 40 + 500_000 * 20) * 1.5;
    const answer = 500_000 * 36 * 0.5 + 4 * 5 * 40;
    const writeRequests = 5 + 4 * 2 + 3 * 1 + 4 + 12;
    const rows = 2 * 2 * 2 + 2 * 2 * 3 * 0.25 + 0.5 * 6 + 4;
    expect(retrievalCost(PARTED, KNOWN)).toEqual({
      // Run, shards, parts; rows read twice, their cells, entity rows, pairs; 7 values of 2 million rows and 4 of half a million; MiB.
      cpuSeconds: 1 + 4 * 0.5 + 3 * 0.25 + rows + (14 + 2) * 2 + (80 + 90_000_000 / MIB) * 0.0625,
      readBytes: 1000 + 4 * 100 + 4 * 7 + 80 * MIB + staged + (12 * MIB) / 4,
      writtenBytes: 2000 + 4 * 200 + 4 * 11 + answer + staged,
      writeRequests,
      // Three lists are read by four shards, and to discard what they name.
      requests: 10 + 4 * 3 + (2 + 12) + 8 * 3 + 4 * 2 + 3 * (4 + 1) + writeRequests,
      catalogCalls: 6,
      shards: 4,
      // A part collects 7 million values: more than half a million rows of a shard take.
      shardMemoryBytes: (200 + 7 * 50) * MIB,
      rows: 500_000,
      dataFiles: 4,
    });
  });

  it('reads a view without parts in every shard', () => {
    const views = [...PARTED.views, { ...VIEW, method: 'max-join-back' } as const];
    const more = retrievalCost({ ...PARTED, views }, KNOWN).readBytes - retrievalCost(PARTED, KNOWN).readBytes;
    expect(more).toBe(4 * 64 * MIB);
  });

  it('needs the memory of a shard where that is more than what a part collects', () => {
    const views = [{ ...VIEW, method: 'max-join-back', parts: 200 } as const];
    // A part collects 70,000 values of a view, and one of the entity rows half a million; a shard reads half a million rows.
    const cost = retrievalCost({ ...PARTED, entityParts: 4, views }, KNOWN);
    expect(cost.shardMemoryBytes).toBe((200 + 100 * 0.5) * MIB);
  });
});

describe('with the measured coefficients', () => {
  const amount = fc.integer({ min: 1, max: 10_000_000 });
  const materialization = fc.record({
    rows: amount,
    entities: amount,
    features: fc.integer({ min: 1, max: 100 }),
    files: fc.integer({ min: 1, max: 1000 }),
    readBytes: amount,
    requests: fc.integer({ min: 1, max: 1000 }),
    shards: fc.integer({ min: 1, max: 20 }),
  });
  const KEYS = ['cpuSeconds', 'readBytes', 'writtenBytes', 'requests'] as const;

  it('no cost of a materialization falls when one of its facts grows', () => {
    fc.assert(
      fc.property(
        materialization,
        fc.constantFrom(...FACT_NAMES),
        fc.integer({ min: 1, max: 9 }),
        (facts, name, times) => {
          const small = { ...FACTS, ...facts };
          const [before, after] = [small, { ...small, [name]: small[name] * times }].map((one) =>
            materializationCost(one),
          );
          for (const key of KEYS) expect(after?.[key]).toBeGreaterThanOrEqual((before?.[key] ?? 0) * (1 - 1e-9));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('no cost of a retrieval falls with more entity rows, or with another view', () => {
    fc.assert(
      fc.property(amount, amount, fc.constantFrom('max-join-back', 'asof-join-back'), (rows, more, method) => {
        const views = [{ ...VIEW, method } as const];
        const small = { ...RETRIEVED, entityRows: rows, views };
        const larger = [
          { ...small, entityRows: rows + more },
          { ...small, views: [...views, ...views] },
        ];
        const before = retrievalCost(small);
        for (const after of larger.map((one) => retrievalCost(one)))
          for (const key of KEYS) expect(after[key]).toBeGreaterThanOrEqual(before[key] * (1 - 1e-9));
      }),
      { numRuns: 300 },
    );
  });
});

const FACT_NAMES = ['rows', 'entities', 'features', 'files', 'readBytes', 'requests', 'shards'] as const;
