/** One billion entities and a hundred billion rows, on paper: the model's costs of runs that nobody can measure here. */
import {
  type Cost,
  type MaterializationFacts,
  materializationCost,
  type RetrievalFacts,
  retrievalCost,
} from '../../estimates/index.js';
import type { Fitted } from './compare.js';

/** List prices in dollars of us-east-1, as assumed on 2026-11-26. */
const PRICES = { cpuHour: 0.04, write: 0.005 / 1000, read: 0.0004 / 1000 };

const MIB = 2 ** 20;
const B = 1e9;

/** Eight doubles, a key and a time, of values that hardly compress. */
const FEATURES = 8;
const ROW_BYTES = 70;
const FILE_BYTES = 512 * MIB;
const RANGE_BYTES = 8 * MIB;
const END_BYTES = MIB / 4;
const MEMORY_BYTES = 16 * 1024 * MIB;

const ENTITIES = B;
const ROWS = 100 * B;
/** As many parts as a run has at most. */
const MAX_PARTS = 128;
const DAYS = 365;
const HOURS = DAYS * 24;

/** Reads of so many rows in files of so many bytes. */
function readsOf(rows: number, fileBytes = FILE_BYTES) {
  const bytes = rows * ROW_BYTES;
  const files = Math.max(1, Math.ceil(bytes / fileBytes));
  const requests = files + Math.ceil(bytes / RANGE_BYTES);
  return { files, rows, fileBytes: bytes, readBytes: bytes, requests, deleteFiles: 0, deleteBytes: 0 };
}

function materialization(rows: number, shards: number, buckets: number, fileBytes?: number): MaterializationFacts {
  return {
    ...readsOf(rows, fileBytes),
    isRemote: true,
    features: FEATURES,
    rowBytes: ROW_BYTES,
    entities: ENTITIES,
    buckets,
    mayBeOneFile: false,
    shards,
    ...(shards === 1 ? {} : { parts: Math.min(shards, MAX_PARTS) }),
    endBytes: END_BYTES,
    memoryLimitBytes: MEMORY_BYTES,
  };
}

function retrieval(entityRows: number, rows: number, shards: number): RetrievalFacts {
  // The view and the entity rows share the parts that a run may have.
  const parts = Math.min(shards, MAX_PARTS / 2);
  const view = {
    ...readsOf(rows),
    readFeatures: FEATURES,
    features: FEATURES,
    rowBytes: (ROW_BYTES * FEATURES) / (FEATURES + 2),
    entities: ENTITIES,
    method: 'max-join-back',
    parts,
    readRowBytes: ROW_BYTES,
  } as const;
  return {
    isRemote: true,
    entityRows,
    entityReads: { ...readsOf(entityRows), fileBytes: entityRows * 16, readBytes: entityRows * 16 },
    entityParts: parts,
    entityColumns: 3,
    entityRowBytes: 16,
    views: [view],
    shards,
    endBytes: END_BYTES,
    memoryLimitBytes: MEMORY_BYTES,
  };
}

interface PaperRun {
  readonly what: string;
  readonly runs: number;
  readonly cost: Cost;
}

/** The runs of the page. One that is repeated is one line, with how often it runs. */
export function paperRuns({ materialization: known, retrieval: joined }: Fitted): readonly PaperRun[] {
  const of = (what: string, facts: MaterializationFacts, runs = 1): PaperRun => {
    return { what, runs, cost: materializationCost(facts, known) };
  };
  const joinedRun = (what: string, facts: RetrievalFacts): PaperRun => {
    return { what, runs: 1, cost: retrievalCost(facts, joined) };
  };
  const minuteBytes = (ROWS / HOURS / 60) * ROW_BYTES;
  return [
    of('first materialization, all rows at once, 200 shards', materialization(ROWS, 200, 1024)),
    of('the same as a backfill of 365 windows of a day', materialization(ROWS / DAYS, 1, 1024), DAYS),
    of('materialization every hour, 256 buckets, a day', materialization(ROWS / HOURS, 1, 256, minuteBytes), 24),
    of('materialization every hour, 4,096 buckets, a day', materialization(ROWS / HOURS, 1, 4096, minuteBytes), 24),
    joinedRun('training set of 1 B entity rows over all rows, 100 shards', retrieval(B, ROWS, 100)),
    joinedRun('the same over the last 30 days, 100 shards', retrieval(B, (ROWS * 30) / DAYS, 100)),
    joinedRun('the same over the last 30 days, 10 shards', retrieval(B, (ROWS * 30) / DAYS, 10)),
  ];
}

const three = (value: number): string =>
  Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 3 });

/** Bytes with a decimal unit. */
function bytesText(bytes: number): string {
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let [value, unit] = [bytes / 1000, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${three(value)} ${units[unit]}`;
}

/** The table of the page. */
export function paperTable(fitted: Fitted): string {
  const head =
    '| run | shards | CPU hours | read | written | memory of a shard | GETs | PUTs | data files | $ CPU | $ requests |\n|---|---|---|---|---|---|---|---|---|---|---|';
  const rows = paperRuns(fitted).map(({ what, runs, cost }) => {
    const gets = (cost.requests - cost.writeRequests) * runs;
    const puts = cost.writeRequests * runs;
    const hours = (cost.cpuSeconds * runs) / 3600;
    const cells = [
      three(cost.shards * runs),
      three(hours),
      bytesText(cost.readBytes * runs),
      bytesText(cost.writtenBytes * runs),
      bytesText(cost.shardMemoryBytes),
      three(gets),
      three(puts),
      three(cost.dataFiles * runs),
      three(hours * PRICES.cpuHour),
      three(gets * PRICES.read + puts * PRICES.write),
    ];
    return `| ${what} | ${cells.join(' | ')} |`;
  });
  return [head, ...rows].join('\n');
}
