/**
 * What a run costs. Bytes and requests follow from what scans, writes and commits do; the rest is linear in the facts, and how steep is
 * measured: `coefficients.ts`, `docs/scale.md`. Pure.
 */
import { largest } from '../errors/index.js';
import { type Coefficients, type FixedTraffic, MATERIALIZATION, RETRIEVAL } from './coefficients.js';
import type { JoinedViewFacts, MaterializationFacts, RetrievalFacts } from './facts.js';
import type { FileReads } from './file-reads.js';
import { readsOfStagedFiles, type StagedRows, stagedRowsOf, sumOfStaged } from './staged-rows.js';

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

/** Columns that parts stage beside features: the shard; of a view also a key, the time and the sequence number. */
const SHARD_COLUMN = 1;
const VIEW_COLUMNS = 4;

/** What parts of a materialization stage: each has the newest row of every entity that its files have. */
function stagedWinners(facts: MaterializationFacts): readonly StagedRows[] {
  const { parts = 0, shards, features, rowBytes, entities, rows: read } = facts;
  const rows = parts * distinctOf(entities, read / parts);
  return stagedRowsOf({ parts, shards, rows, columns: features + VIEW_COLUMNS, rowBytes });
}

/** What parts of a retrieval stage: all rows of their files. */
function stagedInputs(facts: RetrievalFacts): readonly StagedRows[] {
  const { shards, entityRows: rows, entityColumns, entityRowBytes: rowBytes, entityParts: parts = 0 } = facts;
  return [
    ...stagedRowsOf({ parts, shards, rows, columns: entityColumns + SHARD_COLUMN, rowBytes }),
    ...facts.views.flatMap((view) => {
      const columns = view.readFeatures + VIEW_COLUMNS;
      return stagedRowsOf({ parts: view.parts ?? 0, shards, rows: view.rows, columns, rowBytes: view.readRowBytes });
    }),
  ];
}

/** The number of passes over the files of a source. */
const passesOf = (parts: number, shards: number): number => (parts === 0 ? shards : 1);

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
  const staged = stagedWinners(facts);
  const [stagedRows, stagedFiles] = [sumOfStaged(staged, 'rows'), sumOfStaged(staged, 'files')];
  const passes = passesOf(parts, shards);
  const rows = passes * facts.rows + stagedRows;
  const readMib = (passes * facts.readBytes + sumOfStaged(staged, 'sourceBytes')) / MIB;
  return {
    run: 1,
    shards: shards + parts,
    rows: rows / MILLION,
    cells: (rows * features) / MILLION,
    writtenRows: (written + stagedRows) / MILLION,
    writtenCells: ((written + stagedRows) * features) / MILLION,
    writtenFiles: dataFiles + stagedFiles,
    files: passes * facts.files + stagedFiles,
    readMib,
    fetchedMib: facts.isRemote ? readMib : 0,
    deleteFiles: passes * facts.deleteFiles,
  };
}

/** What CPU time of a retrieval is proportional to. Rows that parts stage are read twice: by a part, and by a shard. */
export function retrievalCauses(facts: RetrievalFacts): Causes {
  const { shards, entityRows, entityReads, entityParts = 0, views } = facts;
  const staged = stagedInputs(facts);
  const sum = (of: (view: JoinedViewFacts) => number): number => views.reduce((total, view) => total + of(view), 0);
  const passes = ({ parts = 0 }: JoinedViewFacts): number => passesOf(parts, shards);
  const readings = ({ parts = 0 }: JoinedViewFacts): number => (parts === 0 ? shards : 2);
  const entityPasses = passesOf(entityParts, shards);
  const scanned = entityPasses * entityReads.readBytes + sum((view) => passes(view) * view.readBytes);
  const readMib = (scanned + sumOfStaged(staged, 'sourceBytes')) / MIB;
  const isSorted = ({ method }: JoinedViewFacts): boolean => method === 'asof-join-back';
  return {
    run: 1,
    shards,
    parts: sumOfStaged(staged, 'parts'),
    rows: sum((view) => readings(view) * view.rows) / MILLION,
    cells: sum((view) => readings(view) * view.rows * view.readFeatures) / MILLION,
    entityRows: (entityPasses * entityRows) / MILLION,
    answeredRows: entityRows / MILLION,
    answeredCells: (entityRows * (facts.entityColumns + sum(({ features }) => features))) / MILLION,
    pairs: sum((view) => (isSorted(view) ? 0 : pairsOf(view, entityRows))) / MILLION,
    sortedRows: sum((view) => (isSorted(view) ? view.rows + entityRows : 0)) / MILLION,
    stagedCells: sumOfStaged(staged, 'cells') / MILLION,
    files: entityPasses * entityReads.files + sum((view) => passes(view) * view.files) + sumOfStaged(staged, 'files'),
    readMib,
    fetchedMib: facts.isRemote ? readMib : 0,
    deleteFiles: sum((view) => passes(view) * view.deleteFiles),
  };
}

const pairsOf = ({ rows, entities }: JoinedViewFacts, entityRows: number): number =>
  (rows * entityRows) / Math.max(1, entities);

/** Seconds of CPU of causes. */
export function weighed(causes: Causes, weights: Causes): number {
  return Object.entries(causes).reduce((sum, [cause, amount]) => sum + amount * (weights[cause] ?? 0), 0);
}

/** What a run reads of its sources, and what its parts stage. */
export interface RunReads {
  /** By all activities together. */
  readonly readBytes: number;
  readonly requests: number;
  /** Of each source that has parts. */
  readonly staged: readonly StagedRows[];
}

/** Passes over files, deletes included. */
function scannedOf(passes: readonly { readonly times: number; readonly read: FileReads }[]) {
  const sum = (of: (read: FileReads) => number): number =>
    passes.reduce((total, { times, read }) => total + times * of(read), 0);
  return {
    readBytes: sum(({ readBytes, deleteBytes }) => readBytes + deleteBytes),
    requests: sum(({ requests, deleteFiles }) => requests + deleteFiles),
  };
}

/** What a materialization reads and stages. */
export function materializationReads(facts: MaterializationFacts): RunReads {
  const { shards, parts = 0 } = facts;
  return { ...scannedOf([{ times: passesOf(parts, shards), read: facts }]), staged: stagedWinners(facts) };
}

/** What a retrieval reads and stages. */
export function retrievalReads(facts: RetrievalFacts): RunReads {
  const { shards, entityReads, entityParts = 0, views } = facts;
  const entities = { times: passesOf(entityParts, shards), read: entityReads };
  const passes = [entities, ...views.map((view) => ({ times: passesOf(view.parts ?? 0, shards), read: view }))];
  return { ...scannedOf(passes), staged: stagedInputs(facts) };
}

interface Run {
  readonly facts: Pick<MaterializationFacts, 'shards' | 'isRemote' | 'endBytes' | 'memoryLimitBytes'>;
  readonly reads: RunReads;
  readonly output: Output;
  readonly causes: Causes;
  /** What all shards hold in memory, in the units of the causes. */
  readonly state: Causes;
}

function costOf(run: Run, known: Coefficients): Cost {
  const { facts, reads, output, causes } = run;
  const { shards, isRemote } = facts;
  const { perRun, perShard, perFile, perSourceByte, perFileColumn } = known.traffic;
  const dataBytes = output.sourceBytes * perSourceByte + output.fileColumns * perFileColumn;
  const parts = sumOfStaged(reads.staged, 'parts');
  const stagedBytes = sumOfStaged(reads.staged, 'sourceBytes') * known.traffic.perStagedByte;
  const staged = trafficOfStaged(reads.staged, known.traffic.perStagedByte, facts.endBytes);
  const fixed = (what: keyof FixedTraffic): number => perRun[what] + shards * perShard[what];
  // The list of a part is written, read by every shard, and read once more to discard what it names.
  const writeRequests = fixed('writeRequests') + uploadsOf(output.dataFiles, dataBytes) + staged.writeRequests + parts;
  const readRequests = fixed('readRequests') + reads.requests + staged.readRequests + parts * (shards + 1);
  return {
    cpuSeconds: weighed(causes, known.cpuSeconds),
    readBytes: fixed('readBytes') + output.dataFiles * perFile.readBytes + reads.readBytes + staged.readBytes,
    writtenBytes: fixed('writtenBytes') + output.dataFiles * perFile.writtenBytes + dataBytes + stagedBytes,
    requests: isRemote ? Math.round(readRequests + writeRequests) : 0,
    writeRequests: isRemote ? Math.round(writeRequests) : 0,
    catalogCalls: known.catalogCalls,
    shards,
    shardMemoryBytes: memoryOf(run, known),
    rows: Math.round(output.rows),
    dataFiles: Math.round(output.dataFiles),
  };
}

/** What writing staged rows and reading them again takes of a store. */
function trafficOfStaged(staged: readonly StagedRows[], perByte: number, endBytes: number) {
  const sources = staged.map(({ files, sourceBytes }) => ({ files, bytes: sourceBytes * perByte }));
  const reads = sources.map(({ files, bytes }) => readsOfStagedFiles(files, bytes, endBytes));
  return {
    readBytes: reads.reduce((sum, { readBytes }) => sum + readBytes, 0),
    readRequests: reads.reduce((sum, { requests }) => sum + requests, 0),
    writeRequests: sources.reduce((sum, { files, bytes }) => sum + uploadsOf(files, bytes), 0),
  };
}

/** Requests that write files of equal size. */
const uploadsOf = (files: number, bytes: number): number => (files === 0 ? 0 : files * uploadRequests(bytes / files));

/**
 * The most that the process of a shard, or of a part before it, takes. What the engine may not take more of than its limit is beside what
 * the process takes anyway.
 */
function memoryOf({ facts, reads: { staged }, state }: Run, { memoryMib }: Coefficients): number {
  const { run = 0, collectedCells = 0, ...held } = memoryMib;
  const ofShard = weighed(state, held) / Math.max(1, facts.shards);
  // A part collects its rows before it writes them.
  const ofParts = staged.map(({ cells, parts }) => (cells / MILLION / parts) * collectedCells);
  return Math.round(run * MIB + Math.min(largest(ofParts, ofShard) * MIB, facts.memoryLimitBytes));
}

/** What a materialization costs. @param known measured; those of this version unless given */
export function materializationCost(facts: MaterializationFacts, known: Coefficients = MATERIALIZATION): Cost {
  if (facts.shards === 0) return NOTHING;
  const reads = materializationReads(facts);
  const [output, causes] = [materializedOutput(facts), materializationCauses(facts)];
  const written = output.rows / MILLION;
  const rows = rowsOfShards(facts, sumOfStaged(reads.staged, 'rows'));
  const state = { ...causes, rows, writtenRows: written, writtenCells: written * facts.features };
  return costOf({ facts, reads, output, causes, state }, known);
}

/** Millions of rows that all shards together read: of the source, or what parts have staged. */
function rowsOfShards(
  { shards, parts = 0, rows }: Pick<MaterializationFacts, 'shards' | 'parts' | 'rows'>,
  staged: number,
) {
  return (parts === 0 ? shards * rows : staged) / MILLION;
}

/** What a retrieval in shards costs. @param known measured; those of this version unless given */
export function retrievalCost(facts: RetrievalFacts, known: Coefficients = RETRIEVAL): Cost {
  const reads = retrievalReads(facts);
  const causes = retrievalCauses(facts);
  const { shards } = facts;
  const rows = facts.views.reduce((sum, view) => sum + rowsOfShards({ ...view, shards }, view.rows), 0);
  return costOf({ facts, reads, output: retrievedOutput(facts), causes, state: { ...causes, rows } }, known);
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
