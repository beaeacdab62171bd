/**
 * What a run costs. Bytes and requests follow from what scans, writes and commits do; the rest is linear in the facts, and how steep is
 * measured: `coefficients.ts`, `docs/scale.md`. Pure.
 */
import { type Coefficients, MATERIALIZATION, RETRIEVAL } from './coefficients.js';
import type { JoinedViewFacts, MaterializationFacts, RetrievalFacts } from './facts.js';

/** What a run is expected to cost, all of its shards and its commit together. */
export interface Cost {
  readonly cpuSeconds: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Requests to an object store; 0 where tables are local. */
  readonly requests: number;
  /** Requests of them that write: what stores charge most for. */
  readonly writeRequests: number;
  /** Calls of the catalog. */
  readonly catalogCalls: number;
  readonly shards: number;
  /** Peak memory of one shard's process. */
  readonly shardMemoryBytes: number;
  /** Rows and data files that the run adds. */
  readonly rows: number;
  readonly dataFiles: number;
}

/** Causes of CPU time, in the unit that one coefficient is for. */
export type Causes = Readonly<Record<string, number>>;

const MILLION = 1e6;
const MIB = 2 ** 20;

/** Parts of an upload, and what is added to those of a file that has more than one. */
const UPLOAD_PART_BYTES = 16 * MIB;
const UPLOAD_EXTRA_REQUESTS = 2;

/** Rows up to which an addition to an online table is one file. */
const FEW_ROWS = 16_384;

/** Of entities that are equally frequent, those that so many rows are expected to have. */
export function distinctOf(entities: number, rows: number): number {
  return entities <= 0 ? 0 : entities * (1 - Math.exp(-rows / entities));
}

/** Requests that write a file. */
export function uploadRequests(bytes: number): number {
  const parts = Math.max(1, Math.ceil(bytes / UPLOAD_PART_BYTES));
  return parts === 1 ? 1 : parts + UPLOAD_EXTRA_REQUESTS;
}

interface Output {
  readonly rows: number;
  readonly dataFiles: number;
  /** Bytes of the rows as the source has them. */
  readonly sourceBytes: number;
  /** Columns of all files. */
  readonly fileColumns: number;
}

/** Rows and files that a materialization adds. */
export function materializedOutput(facts: MaterializationFacts): Output {
  const rows = distinctOf(facts.entities, facts.rows);
  const isOne = facts.mayBeOneFile && rows <= FEW_ROWS;
  const dataFiles = rows < 0.5 ? 0 : isOne ? 1 : Math.max(1, distinctOf(facts.buckets, rows));
  return { rows, dataFiles, sourceBytes: rows * facts.rowBytes, fileColumns: dataFiles * (facts.features + 3) };
}

/** Rows that parts stage for the shards: each has the newest of every entity that its files have. A part has a file for each shard. */
export function stagedRows({ parts = 0, shards, rows, entities }: MaterializationFacts): {
  rows: number;
  files: number;
} {
  return parts === 0
    ? { rows: 0, files: 0 }
    : { rows: parts * distinctOf(entities, rows / parts), files: parts * shards };
}

/** Rows and files that a retrieval makes. */
export function retrievedOutput(facts: RetrievalFacts): Output {
  const { entityRows: rows, shards, views } = facts;
  const rowBytes = views.reduce((sum, view) => sum + view.rowBytes, facts.entityRowBytes);
  const columns = views.reduce((sum, view) => sum + view.features, facts.entityColumns);
  return { rows, dataFiles: rows === 0 ? 0 : shards, sourceBytes: rows * rowBytes, fileColumns: shards * columns };
}

/** What CPU time of a materialization is proportional to. */
export function materializationCauses(facts: MaterializationFacts): Causes {
  const { rows: written, dataFiles } = materializedOutput(facts);
  const { shards, parts = 0, features } = facts;
  const staged = stagedRows(facts);
  const passes = parts === 0 ? shards : 1;
  const rows = passes * facts.rows + staged.rows;
  const readMib = (passes * facts.readBytes + staged.rows * facts.rowBytes) / MIB;
  return {
    run: 1,
    shards: shards + parts,
    rows: rows / MILLION,
    cells: (rows * features) / MILLION,
    writtenRows: (written + staged.rows) / MILLION,
    writtenCells: ((written + staged.rows) * features) / MILLION,
    writtenFiles: dataFiles + staged.files,
    files: passes * facts.files + staged.files,
    readMib,
    fetchedMib: facts.isRemote ? readMib : 0,
    deleteFiles: passes * facts.deleteFiles,
  };
}

/** What CPU time of a retrieval is proportional to. */
export function retrievalCauses(facts: RetrievalFacts): Causes {
  const { shards, entityRows, views } = facts;
  const sum = (of: (view: JoinedViewFacts) => number): number => views.reduce((total, view) => total + of(view), 0);
  const readMib = (shards * (facts.entityReads.readBytes + sum(({ readBytes }) => readBytes))) / MIB;
  const isSorted = ({ method }: JoinedViewFacts): boolean => method === 'asof-join-back';
  return {
    run: 1,
    shards,
    rows: (shards * sum(({ rows }) => rows)) / MILLION,
    cells: (shards * sum(({ rows, readFeatures }) => rows * readFeatures)) / MILLION,
    entityRows: (shards * entityRows) / MILLION,
    answeredRows: entityRows / MILLION,
    answeredCells: (entityRows * (facts.entityColumns + sum(({ features }) => features))) / MILLION,
    pairs: sum((view) => (isSorted(view) ? 0 : pairsOf(view, entityRows))) / MILLION,
    sortedRows: sum((view) => (isSorted(view) ? view.rows + entityRows : 0)) / MILLION,
    files: shards * (facts.entityReads.files + sum(({ files }) => files)),
    readMib,
    fetchedMib: facts.isRemote ? readMib : 0,
    deleteFiles: shards * sum(({ deleteFiles }) => deleteFiles),
  };
}

const pairsOf = ({ rows, entities }: JoinedViewFacts, entityRows: number): number =>
  (rows * entityRows) / Math.max(1, entities);

/** Seconds of CPU of causes. */
export function weighed(causes: Causes, weights: Causes): number {
  return Object.entries(causes).reduce((sum, [cause, amount]) => sum + amount * (weights[cause] ?? 0), 0);
}

interface Passes {
  readonly shards: number;
  /** Activities that read and write: shards, and the parts before them. */
  readonly pieces: number;
  /** How often each file is read. */
  readonly passes: number;
  readonly stagedBytes: number;
  readonly stagedFiles: number;
  readonly isRemote: boolean;
  readonly readBytes: number;
  readonly requests: number;
  readonly deleteFiles: number;
  readonly deleteBytes: number;
  readonly memoryLimitBytes: number;
}

function costOf(passes: Passes, output: Output, causes: Causes, known: Coefficients): Cost {
  const { shards, pieces, isRemote, stagedBytes, stagedFiles } = passes;
  const { perRun, perShard, perFile, perSourceByte, perFileColumn } = known.traffic;
  const dataBytes = output.sourceBytes * perSourceByte + output.fileColumns * perFileColumn;
  const ofFiles =
    output.dataFiles === 0 ? 0 : output.dataFiles * uploadRequests(dataBytes / Math.max(1, output.dataFiles));
  const writeRequests = perRun.writeRequests + pieces * perShard.writeRequests + ofFiles + stagedFiles;
  const ofPasses = passes.passes * (passes.requests + passes.deleteFiles);
  // The end of a staged file, and its columns.
  const readRequests = perRun.readRequests + pieces * perShard.readRequests + ofPasses + 2 * stagedFiles;
  const ofMetadata = (what: 'readBytes' | 'writtenBytes'): number =>
    perRun[what] + pieces * perShard[what] + output.dataFiles * perFile[what];
  return {
    cpuSeconds: weighed(causes, known.cpuSeconds),
    readBytes: ofMetadata('readBytes') + passes.passes * (passes.readBytes + passes.deleteBytes) + stagedBytes,
    writtenBytes: ofMetadata('writtenBytes') + dataBytes + stagedBytes,
    requests: isRemote ? Math.round(readRequests + writeRequests) : 0,
    writeRequests: isRemote ? Math.round(writeRequests) : 0,
    catalogCalls: known.catalogCalls,
    shards,
    shardMemoryBytes: memoryOf(passes, causes, known),
    rows: Math.round(output.rows),
    dataFiles: Math.round(output.dataFiles),
  };
}

/** What the engine may not take more of than its limit is beside what the process takes anyway. */
function memoryOf(
  { shards, memoryLimitBytes }: Pick<Passes, 'shards' | 'memoryLimitBytes'>,
  causes: Causes,
  { memoryMib }: Coefficients,
): number {
  const { run = 0, ...state } = memoryMib;
  const stateBytes = (weighed(causes, state) / Math.max(1, shards)) * MIB;
  return Math.round(run * MIB + Math.min(stateBytes, memoryLimitBytes));
}

/** What a materialization costs. @param known measured; those of this version unless given */
export function materializationCost(facts: MaterializationFacts, known: Coefficients = MATERIALIZATION): Cost {
  if (facts.shards === 0) return NOTHING;
  const { shards, parts = 0, rowBytes } = facts;
  const staged = stagedRows(facts);
  const passes = {
    ...facts,
    pieces: shards + parts,
    passes: parts === 0 ? shards : 1,
    stagedBytes: staged.rows * rowBytes,
    stagedFiles: staged.files,
  };
  return costOf(passes, materializedOutput(facts), materializationCauses(facts), known);
}

/** What a retrieval in shards costs. @param known measured; those of this version unless given */
export function retrievalCost(facts: RetrievalFacts, known: Coefficients = RETRIEVAL): Cost {
  const reads = [facts.entityReads, ...facts.views];
  const sum = (of: 'readBytes' | 'requests' | 'deleteFiles' | 'deleteBytes'): number =>
    reads.reduce((total, read) => total + read[of], 0);
  const passes = {
    shards: facts.shards,
    pieces: facts.shards,
    passes: facts.shards,
    stagedBytes: 0,
    stagedFiles: 0,
    isRemote: facts.isRemote,
    memoryLimitBytes: facts.memoryLimitBytes,
    readBytes: sum('readBytes'),
    requests: sum('requests'),
    deleteFiles: sum('deleteFiles'),
    deleteBytes: sum('deleteBytes'),
  };
  return costOf(passes, retrievedOutput(facts), retrievalCauses(facts), known);
}

const NOTHING: Cost = {
  cpuSeconds: 0,
  readBytes: 0,
  writtenBytes: 0,
  requests: 0,
  writeRequests: 0,
  catalogCalls: 0,
  shards: 0,
  shardMemoryBytes: 0,
  rows: 0,
  dataFiles: 0,
};
