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
  type OutlinedMaterialization,
  type OutlinedRetrieval,
  retrievalCost,
  retrievalFacts,
  type TrinoCost,
  trinoCost,
} from '../estimates/index.js';
import { findFeatureView, type ResolvedView, readOf } from '../features/index.js';
import { datasetDeps, materializationDeps, type Project } from '../project/index.js';
import { expectEngine, type SizedRead } from '../reduction/index.js';

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
  /** Who would read: as the view says, else as `engine.type: auto` chooses; `trino` if it is that for some view of a dataset. */
  readonly engine: {
    readonly choice: 'duckdb' | 'trino';
    /** Why; of several views for each. */
    readonly reason: string;
    readonly trinoAboveBytes: number;
  };
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
    spread: project.config.worker.shards,
    startUs: start === undefined ? undefined : parseTimeUs(start, 'start'),
    endUs: end === undefined ? undefined : parseTimeUs(end, 'end'),
  });
  return {
    kind: 'materialization',
    name: view,
    run: { kind: outline.kind, reason: outline.reason },
    cost: materializationCost(facts),
    trino: trinoCost('materialization', [facts.rows]),
    engine: engineOf(trinoAboveBytes, [{ ...outline, ...materializationRead(outline, facts.fileBytes) }]),
    ...readsOf([facts]),
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
  const outlined = await retrievalFacts(deps, { features: [view] }, expected, {
    shards,
    spread: project.config.worker.shards,
  });
  return retrievalEstimate(view, outlined, trinoAboveBytes);
}

async function estimateDataset(
  project: Project,
  dataset: string,
  { shards }: EstimateRequest,
  trinoAboveBytes: number,
): Promise<Estimate> {
  const deps = await datasetDeps(project);
  const { record } = await deps.datasets.get(dataset);
  return retrievalEstimate(
    dataset,
    await datasetFacts(deps, record, { shards, spread: project.config.worker.shards }),
    trinoAboveBytes,
  );
}

function retrievalEstimate(name: string, { joins, facts }: OutlinedRetrieval, trinoAboveBytes: number): Estimate {
  // Before the shards, unless the view has no keys to be split by.
  const queries = joins.map(({ view }) => (view.joinKeys.length === 0 ? facts.shards : 1));
  return {
    kind: 'retrieval',
    name,
    run: null,
    cost: retrievalCost(facts),
    trino: trinoCost(
      'retrieval',
      facts.views.flatMap(({ rows }, index) => Array.from({ length: queries[index] ?? 1 }, () => rows)),
    ),
    engine: engineOf(
      trinoAboveBytes,
      joins.map(({ view, source, stats: { bytes } }) => ({ view, ...readOf(source, bytes) })),
    ),
    ...readsOf([facts.entityReads, ...facts.views]),
  };
}

const materializationRead = ({ reads }: OutlinedMaterialization['outline'], fileBytes: number) => ({
  bytes: BigInt(fileBytes),
  snapshotIds: reads.map(({ snapshotId }) => snapshotId),
});

function engineOf(
  trinoAboveBytes: number,
  reads: readonly (SizedRead & { readonly view: Pick<ResolvedView, 'name' | 'engine'> })[],
): Estimate['engine'] {
  const chosen = reads.map(({ view, ...read }) => ({ view, ...expectEngine(view.engine, trinoAboveBytes, read) }));
  const reasons = chosen.map(({ view, engine, reason }) =>
    chosen.length === 1 ? reason : `${view.name} ${engine}, as ${reason}`,
  );
  const choice = chosen.some(({ engine }) => engine === 'trino') ? 'trino' : 'duckdb';
  return { choice, reason: reasons.join('; '), trinoAboveBytes };
}

function readsOf(parts: readonly EstimatedReads[]): Pick<Estimate, 'reads' | 'timesMeasured'> {
  const sum = (of: keyof EstimatedReads): number => parts.reduce((total, part) => total + part[of], 0);
  const reads = {
    files: sum('files'),
    rows: sum('rows'),
    fileBytes: sum('fileBytes'),
    deleteFiles: sum('deleteFiles'),
  };
  return { reads, timesMeasured: reads.rows / MEASURED_ROWS };
}
