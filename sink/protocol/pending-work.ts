/** What a committed batch leaves to do in other tables, as the state of its sink keeps it. Pure. ADR 0048. */
import type { TableIdentifier } from '../../catalogs/index.js';
import { isJsonArray, isJsonObject, type JsonValue } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';

const TABLE_KINDS = ['append', 'mark-replayed'] as const;

/** Work in another table of the same catalog, by a file that was staged for it. */
export interface TableWork {
  /** `append`: commit the staged manifest `file`. `mark-replayed`: write into the dead letters that `file` lists when they were replayed. */
  readonly kind: (typeof TABLE_KINDS)[number];
  readonly batchId: string;
  readonly table: TableIdentifier;
  readonly tableUuid: string;
  readonly file: Location;
}

/** Bringing the online table of a feature view up to date with the sink's table. What it lacks is said by its own progress. */
export interface ViewWork {
  readonly kind: 'materialize';
  readonly batchId: string;
  readonly view: string;
}

/** Whoever has the sink does it before the next batch; done before, nothing is done. */
export type PendingWork = TableWork | ViewWork;

export function workToJson(work: PendingWork): JsonValue {
  const { kind, batchId } = work;
  if (work.kind === 'materialize') return { kind, batch: batchId, view: work.view };
  const { table, tableUuid, file } = work;
  const { namespace, name } = table;
  return { kind, batch: batchId, namespace: [...namespace], table: name, 'table-uuid': tableUuid, file };
}

/** @returns null for JSON that is no such list */
export function workFromJson(json: JsonValue): readonly PendingWork[] | null {
  if (!isJsonArray(json)) return null;
  const list: PendingWork[] = [];
  for (const entry of json) {
    const work = isJsonObject(entry) ? oneFromJson(entry) : null;
    if (work === null) return null;
    list.push(work);
  }
  return list;
}

function oneFromJson(entry: Readonly<Record<string, JsonValue>>): PendingWork | null {
  const { batch: batchId, view, namespace, table: name, 'table-uuid': tableUuid, file } = entry;
  if (!isText(batchId)) return null;
  if (entry['kind'] === 'materialize') return isText(view) ? { kind: 'materialize', batchId, view } : null;
  const kind = TABLE_KINDS.find((known) => known === entry['kind']);
  if (kind === undefined || !isText(name) || !isText(tableUuid) || !isText(file)) return null;
  if (namespace === undefined || !isJsonArray(namespace) || !namespace.every(isText)) return null;
  return { kind, batchId, table: { namespace, name }, tableUuid, file };
}

const isText = (json: JsonValue | undefined): json is string => typeof json === 'string';
