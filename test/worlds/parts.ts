/** The product's answer to a world's request in parts and shards, as the workflow of a training set computes it. */
import { join } from 'node:path';
import {
  type EntitySource,
  getHistoricalFeatures,
  getHistoricalFrame,
  type HistoricalDeps,
  type HistoricalRequest,
  openEntitySource,
  openReducedView,
  type ReducibleView,
  reducedViewSchema,
  reducibleViews,
} from '../../features/index.js';
import {
  listReducedRows,
  partsOf,
  type ReducedRows,
  readReducedLists,
  reducedTableMetadata,
  stageReducedRows,
} from '../../reduction/index.js';
import { rowsOfShard } from '../../training/index.js';
import { fromDuckDb, type PlainValue } from './values.js';

type Request = Omit<HistoricalRequest, 'entities'>;

/** An answer, and how many views were read in parts. */
export interface PartedAnswer {
  readonly rows: readonly (readonly PlainValue[])[];
  readonly reducedViews: number;
}

/** @param knowsTimes whether the parts leave out what the times of the entity rows rule out */
export async function answerInParts(
  deps: HistoricalDeps,
  request: Request & { readonly entities: EntitySource },
  { folder, shards, knowsTimes }: { readonly folder: string; readonly shards: number; readonly knowsTimes: boolean },
): Promise<PartedAnswer> {
  const { entities, ...rest } = request;
  const frame = await getHistoricalFrame(deps, request, async ({ connection, opened: { frame: loaded } }) => {
    const us = loaded.timeUnit === 'us' ? loaded.time : `${loaded.time} // 1000`;
    const [[lowest, highest] = []] = await connection.rows(
      `SELECT min(${us}) - 1, max(${us}) + 1 FROM ${loaded.table}`,
    );
    const isKnown = knowsTimes && typeof lowest === 'bigint' && typeof highest === 'bigint';
    return { columns: loaded.columns, timesUs: isKnown ? { lowest, highest } : undefined };
  });
  const { views, columns } = await reducibleViews(deps, rest, frame);
  const lists = new Map<string, string[]>();
  for (const view of views) lists.set(view.alias, await reduce(deps, view, { folder, shards, columns }));
  const rows: (readonly PlainValue[])[] = [];
  for (let index = 0; index < shards; index++) {
    const reduced = new Map<string, readonly ReducedRows[]>();
    for (const [alias, locations] of lists) {
      reduced.set(alias, await readReducedLists(deps.io, locations, index));
    }
    const open: Extract<EntitySource, { open: unknown }>['open'] = async (connection, keyTypes) =>
      rowsOfShard(await openEntitySource({ deps, connection, keyTypes }, entities), columns, { index, count: shards });
    await getHistoricalFeatures(deps, { ...rest, entities: { open }, reduced }, async (answer) => {
      rows.push(...(await answer.connection.rows(answer.select)).map((row) => row.map(fromDuckDb)));
    });
  }
  return { rows, reducedViews: views.length };
}

/** Two parts of a view, or one if it has only one file. @returns their lists */
async function reduce(
  { io, engine }: HistoricalDeps,
  view: ReducibleView,
  {
    folder,
    shards,
    columns,
  }: { readonly folder: string; readonly shards: number; readonly columns: readonly string[] },
): Promise<string[]> {
  const bytes = new Map(view.plan.files.map(({ file }) => [file.filePath, file.fileSizeInBytes]));
  const locations: string[] = [];
  for (const [part, paths] of partsOf(bytes, Math.min(2, bytes.size)).entries()) {
    const plan = { ...view.plan, files: view.plan.files.filter(({ file }) => paths.has(file.filePath)) };
    const location = join(folder, 'reduced', view.alias, String(part));
    const table = { io, metadata: reducedTableMetadata(reducedViewSchema(view), location) };
    const files = await engine.withConnection(async (connection) => {
      const { select } = await openReducedView(connection, { ...view, plan }, { shards, columns });
      return await stageReducedRows(connection, table, { select, namePrefix: 'p' });
    });
    const { reducedLocation } = await listReducedRows(table, join(location, 'list.json'), files);
    if (reducedLocation !== null) locations.push(reducedLocation);
  }
  return locations;
}
