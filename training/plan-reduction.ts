/** Which sources of a training set are read in parts. */
import {
  type HistoricalDeps,
  type RetrievalRequest,
  recordedDeps,
  recordedRequest,
  reducibleViews,
} from '../features/index.js';
import type { NestedField } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import { type EngineType, MAX_PARTS, sizedPartsOf, smallOf } from '../reduction/index.js';
import type { EntityOutline, PinnedEntities } from './entity-reference.js';
import type { DraftRecord, PlannedPart, PlannedReduction } from './plan.js';

/**
 * Shards from which parts cost less than what they save: a row that is read once, staged and read again costs about as much as one that is
 * read three times. Trino stages rows in any case.
 */
const MIN_SHARDS = { duckdb: 4, trino: 2 };

/** A reduction, and the columns of the entity rows by which it splits. */
export interface SplitReduction {
  readonly reduction: PlannedReduction;
  readonly shardColumns: readonly string[];
  /** Numbers of the parts with less than half of the bytes of the largest one; null with parts of Trino's, of which bytes say nothing. */
  readonly smallParts: readonly number[] | null;
}

/** Entity rows before they are read. */
export interface OutlinedEntities extends EntityOutline {
  readonly columns: readonly NestedField[];
}

/** The parts of a training set; null: its shards read the sources. @throws as retrieval */
export async function planReduction(
  deps: HistoricalDeps,
  draft: DraftRecord,
  entities: Pick<PinnedEntities, 'schema' | 'outline'>,
  { shards, engine }: { readonly shards: number; readonly engine?: EngineType | undefined },
): Promise<SplitReduction | null> {
  const outline = async () => ({ columns: entities.schema.fields, ...(await entities.outline()) });
  return await reductionOf(recordedDeps(deps, draft), { ...recordedRequest(draft), engine }, outline, shards);
}

/**
 * The parts of a retrieval that is saved in so many shards; null: they read the sources.
 * @param outline of the entity rows, which few shards do without
 * @throws as retrieval
 */
export async function reductionOf(
  deps: HistoricalDeps,
  request: RetrievalRequest & { readonly engine?: EngineType | undefined },
  outline: () => Promise<OutlinedEntities>,
  shards: number,
): Promise<SplitReduction | null> {
  const isForParts = shards >= MIN_SHARDS.duckdb;
  if (!isForParts && (shards < MIN_SHARDS.trino || (deps.engines?.trino ?? null) === null)) return null;
  const { columns: fields, timesUs, files } = await outline();
  const frame = { columns: fields, timesUs };
  const all = isForParts ? await reducibleViews(deps, request, frame) : NO_VIEWS;
  const { views, columns } = all.views.length > 0 ? all : await reducibleViews(deps, request, frame, 'trino');
  const read = views.filter(({ engine }) => engine === 'duckdb');
  const inputs = [
    ...(isForParts ? [{ view: null, bytes: files }] : []),
    ...read.map(({ alias, plan }) => ({
      view: alias,
      bytes: new Map(plan.files.map(({ file }) => [file.filePath, file.fileSizeInBytes])),
    })),
  ];
  const onTrino = views.flatMap(({ alias, engine }) =>
    engine === 'trino' ? [{ view: alias, engine, files: [] }] : [],
  );
  const most = Math.min(shards, Math.floor((MAX_PARTS - onTrino.length) / Math.max(1, inputs.length)));
  const sized = inputs.flatMap((input) => partsOfInput(input, most));
  const parts = sized.map(({ part }) => part);
  // With a single file there is nothing to share but the file itself.
  if (onTrino.length === 0 && parts.filter(({ view }) => view !== null).length < 2) return null;
  const smallParts = onTrino.length === 0 ? smallOf(sized) : null;
  // A query on Trino takes longest.
  return { reduction: { timesUs: timesUs ?? null, parts: [...onTrino, ...parts] }, shardColumns: columns, smallParts };
}

const NO_VIEWS = { views: [], columns: [] };

/** About equally many bytes in each part, and in none both of two views. */
function partsOfInput(
  { view, bytes }: { readonly view: string | null; readonly bytes: ReadonlyMap<Location, bigint> },
  most: number,
): readonly { readonly part: PlannedPart; readonly bytes: bigint }[] {
  if (bytes.size === 0) return [];
  const parts = sizedPartsOf(bytes, Math.max(1, Math.min(most, bytes.size)));
  return parts.map((sized) => ({
    part: { view, engine: 'duckdb', files: [...sized.paths] },
    bytes: sized.bytes,
  }));
}
