/** What a run would cost, from metadata alone. */
import { parseTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import {
  type Cost,
  datasetFacts,
  entitiesOfCount,
  MEASURED_ROWS,
  materializationCost,
  materializationFacts,
  type RetrievalFacts,
  retrievalCost,
  retrievalFacts,
  type TrinoCost,
  trinoCost,
} from '../estimates/index.js';
import { findFeatureView } from '../features/index.js';
import { datasetDeps, materializationDeps, type Project } from '../project/index.js';
import { isForTrino } from '../reduction/index.js';

/** The run to estimate. */
export interface EstimateRequest {
  /** The view to materialize; or, with `rows`, to retrieve features of. Either this or a dataset. */
  readonly view?: string;
  /** The saved dataset to compute again. */
  readonly dataset?: string;
  /** Entity rows that features are retrieved for, in place of a materialization. */
  readonly rows?: number;
  /** First event time of a window to materialize, ISO-8601. Without it the run is incremental. */
  readonly start?: string;
  /** Event time that the run ends before. */
  readonly end?: string;
  /** Entities of the source, if that is known better than from the bounds of the keys. */
  readonly entities?: number;
  /** Shards of the run; by default as many as it would have. */
  readonly shards?: number;
}

/** Data files that a run reads, each pass for itself. */
export interface EstimatedReads {
  readonly files: number;
  readonly rows: number;
  /** Bytes of whole files after pruning: what the engine is chosen by. */
  readonly fileBytes: number;
  readonly deleteFiles: number;
}

/** What a run is expected to cost. */
export interface Estimate {
  readonly kind: 'materialization' | 'retrieval';
  /** The view or the dataset. */
  readonly name: string;
  /** What a materialization would do, as its result says it; null for a retrieval. */
  readonly run: { readonly kind: string; readonly reason: string } | null;
  readonly reads: EstimatedReads;
  /** The cost of all parts, all shards and the commit together, where DuckDB reads. */
  readonly cost: Cost;
  /** Who would read with `engine.type: auto`. */
  readonly engine: { readonly choice: 'duckdb' | 'trino'; readonly trinoAboveBytes: number };
  /** What the run would cost if Trino read the sources, whether or not one is configured: a rough figure, from two measured sizes. */
  readonly trino: TrinoCost;
  /** Rows read, over those of the largest measured run: beyond 3 the model has not been tried. */
  readonly timesMeasured: number;
}

/**
 * Estimates a materialization, a retrieval or a saved dataset: CPU time, bytes, requests, shards, memory and the engine to choose, by a
 * model of measured costs ([docs/scale.md](../docs/scale.md)). Reads metadata alone and changes nothing.
 * @throws `FEATURE_VIEW_NOT_FOUND`, `DATASET_NOT_FOUND`, `TABLE_NOT_FOUND`, `INVALID_ARGUMENT`, `SNAPSHOT_EXPIRED`
 */
export async function estimate(project: Project, request: EstimateRequest): Promise<Estimate> {
  checkRequest(request);
  const { trinoAboveBytes } = project.config.engine;
  const { view, dataset = '', rows } = request;
  if (view === undefined) return await estimateDataset(project, dataset, request, trinoAboveBytes);
  if (rows !== undefined) return await estimateRetrieval(project, view, rows, request, trinoAboveBytes);
  return await estimateMaterialization(project, view, request, trinoAboveBytes);
}

function checkRequest({ view, dataset, rows, start, end, entities, shards }: EstimateRequest): void {
  const invalid = (problem: string): MoraineError => new MoraineError('INVALID_ARGUMENT', problem);
  if ((view === undefined) === (dataset === undefined)) throw invalid('Give either a view or a dataset to estimate.');
  const isMaterialization = view !== undefined && rows === undefined;
  if (!isMaterialization && (start !== undefined || end !== undefined)) {
    throw invalid('A window is for the materialization of a view.');
  }
  if (dataset !== undefined && (rows !== undefined || entities !== undefined)) {
    throw invalid('A saved dataset has its own entity rows: give no rows and no entities.');
  }
  for (const [name, value] of Object.entries({ rows, entities, shards })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      throw invalid(`The number of ${name} must be a whole number from 1 on, not ${value}.`);
    }
  }
}

async function estimateMaterialization(
  project: Project,
  view: string,
  { start, end, entities, shards }: EstimateRequest,
  trinoAboveBytes: number,
): Promise<Estimate> {
  const { outline, facts } = await materializationFacts(await materializationDeps(project), {
    view,
    entities,
    shards,
    startUs: start === undefined ? undefined : parseTimeUs(start, 'start'),
    endUs: end === undefined ? undefined : parseTimeUs(end, 'end'),
  });
  return {
    kind: 'materialization',
    name: view,
    run: { kind: outline.kind, reason: outline.reason },
    cost: materializationCost(facts),
    trino: trinoCost('materialization', [facts.rows]),
    ...readsOf([facts], trinoAboveBytes),
  };
}

async function estimateRetrieval(
  project: Project,
  view: string,
  rows: number,
  { shards, entities: known }: EstimateRequest,
  trinoAboveBytes: number,
): Promise<Estimate> {
  const deps = await datasetDeps(project);
  const definitions = await deps.definitions();
  const { entities } = findFeatureView(definitions, view);
  const keys = entities.flatMap((entity) => definitions.entities.get(entity)?.joinKeys ?? []);
  const expected = { ...entitiesOfCount(rows, keys.length), entities: known };
  const { facts } = await retrievalFacts(deps, { features: [view] }, expected, shards);
  return retrievalEstimate(view, facts, trinoAboveBytes);
}

async function estimateDataset(
  project: Project,
  dataset: string,
  { shards }: EstimateRequest,
  trinoAboveBytes: number,
): Promise<Estimate> {
  const deps = await datasetDeps(project);
  const { record } = await deps.datasets.get(dataset);
  const { facts } = await datasetFacts(deps, record, shards);
  return retrievalEstimate(dataset, facts, trinoAboveBytes);
}

function retrievalEstimate(name: string, facts: RetrievalFacts, trinoAboveBytes: number): Estimate {
  return {
    kind: 'retrieval',
    name,
    run: null,
    cost: retrievalCost(facts),
    // Each shard has Trino read the sources for its own entity rows.
    trino: trinoCost(
      'retrieval',
      facts.views.flatMap(({ rows }) => Array.from({ length: facts.shards }, () => rows)),
    ),
    ...readsOf([facts.entityReads, ...facts.views], trinoAboveBytes),
  };
}

function readsOf(
  parts: readonly EstimatedReads[],
  trinoAboveBytes: number,
): Pick<Estimate, 'reads' | 'engine' | 'timesMeasured'> {
  const sum = (of: keyof EstimatedReads): number => parts.reduce((total, part) => total + part[of], 0);
  const reads = {
    files: sum('files'),
    rows: sum('rows'),
    fileBytes: sum('fileBytes'),
    deleteFiles: sum('deleteFiles'),
  };
  return {
    reads,
    engine: { choice: isForTrino(trinoAboveBytes, BigInt(reads.fileBytes)) ? 'trino' : 'duckdb', trinoAboveBytes },
    timesMeasured: reads.rows / MEASURED_ROWS,
  };
}
