/**
 * Nessie's log of commits, as far as it is about one table.
 * Source: Nessie API v2, `GET /v2/trees/{ref}/history`, and `CommitMeta` and `Operation` of its model.
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../../iceberg/index.js';
import type { TableIdentifier } from '../catalog.js';
import { members, type RestClient } from '../rest/rest-client.js';
import { RestFailure } from '../rest/rest-failure.js';

/** A commit that gave a table another state. */
export interface TableCommit {
  readonly hash: string;
  /** What the table was called. */
  readonly identifier: TableIdentifier;
  readonly metadataLocation: string;
  /** Null: the table had none. */
  readonly snapshotId: bigint | null;
  /** Milliseconds since the epoch. */
  readonly committedMs: number;
  /** Whether the state was made from the one that the next commit of this log left: it was not brought from another branch. */
  readonly isDirect: boolean;
}

/** Commits that one request asks for. */
const PAGE_RECORDS = 100;
/** Commits of one table that are looked at; further ones are not worth the time. */
const MAX_COMMITS = 10_000;

/** The log of a Nessie server. */
export class NessieLog {
  readonly #client: RestClient;

  /** @param client of Nessie's own API, version 2 */
  constructor(client: RestClient) {
    this.#client = client;
  }

  get address(): string {
    return this.#client.address;
  }

  /**
   * The commits of a table, newest first, across renames and, at a merge, on the branch that was merged. It ends where the table was
   * made, and where its past cannot be told.
   * @param hash where to begin
   * @throws RestFailure
   */
  async *commitsOf(identifier: TableIdentifier, hash: string): AsyncGenerator<TableCommit> {
    let place: Place | undefined = { identifier, hash };
    let contentId: string | undefined;
    let seen = 0;
    while (place !== undefined) {
      const { identifier: name }: Place = place;
      const entries: AsyncGenerator<LogEntry> = this.#entries(place);
      place = undefined;
      for await (const entry of entries) {
        const change: TableChange | undefined = changeOf(entry, name);
        if (change === undefined) continue;
        if (change.content === undefined) return; // dropped: what was before is another table
        contentId ??= change.content.id;
        if (change.content.id !== contentId || (seen += 1) > MAX_COMMITS) return;
        yield {
          ...change.content,
          hash: entry.hash,
          identifier: name,
          committedMs: entry.committedMs,
          isDirect: entry.isDirect,
        };
        place = continuation(entry, name);
        if (place !== undefined) break;
      }
    }
  }

  /** Entries of the log in which a table of this name, in any namespace, has changed. */
  async *#entries({ identifier, hash }: Place): AsyncGenerator<LogEntry> {
    const filter = `operations.exists(op, op.name == '${escaped(identifier.name)}')`;
    const query = { fetch: 'ALL', 'max-records': String(PAGE_RECORDS), filter };
    for (let token = ''; ; ) {
      const params = new URLSearchParams({ ...query, ...(token === '' ? {} : { 'page-token': token }) });
      const path = `/trees/${encodeURIComponent(`@${hash}`)}/history?${params.toString()}`;
      const answer = members((await this.#client.read({ method: 'GET', path })).text);
      const { logEntries, hasMore, token: next } = answer;
      if (logEntries === undefined || !isJsonArray(logEntries)) throw nonsense('its history has no logEntries');
      for (const entry of logEntries) yield logEntry(entry);
      if (hasMore !== true || typeof next !== 'string' || next === '' || next === token) return;
      token = next;
    }
  }
}

/** A name at a commit. */
interface Place {
  readonly identifier: TableIdentifier;
  readonly hash: string;
}

interface LogEntry {
  readonly hash: string;
  readonly parents: readonly string[];
  readonly committedMs: number;
  readonly isDirect: boolean;
  readonly operations: readonly JsonObject[];
}

type TableContent = Pick<TableCommit, 'metadataLocation' | 'snapshotId'> & { readonly id: string };

interface TableChange {
  /** Undefined: the name is gone. */
  readonly content: TableContent | undefined;
}

function logEntry(value: JsonValue): LogEntry {
  const { commitMeta, operations } = isJsonObject(value) ? value : {};
  const { hash, parentCommitHashes, commitTime, authorTime } = isJsonObject(commitMeta) ? commitMeta : {};
  const committedMs = typeof commitTime === 'string' ? Date.parse(commitTime) : Number.NaN;
  if (typeof hash !== 'string' || Number.isNaN(committedMs))
    throw nonsense('a commit of its history has no hash or time');
  const parents =
    parentCommitHashes !== undefined && isJsonArray(parentCommitHashes) ? parentCommitHashes.map(String) : [];
  return {
    hash,
    parents,
    committedMs,
    // A commit that was transplanted keeps the time at which its author made it, elsewhere.
    isDirect: parents.length === 1 && commitTime === authorTime,
    operations: operations !== undefined && isJsonArray(operations) ? operations.filter(isJsonObject) : [],
  };
}

/** What a commit did to a name; undefined: nothing. */
function changeOf({ operations }: LogEntry, identifier: TableIdentifier): TableChange | undefined {
  const operation = operations.find(
    ({ type, key }) => (type === 'PUT' || type === 'DELETE') && isKeyOf(key, identifier),
  );
  if (operation === undefined) return undefined;
  return { content: operation['type'] === 'DELETE' ? undefined : contentOf(operation['content']) };
}

function contentOf(value: JsonValue | undefined): TableContent | undefined {
  const { type, id, metadataLocation, snapshotId } = isJsonObject(value) ? value : {};
  if (type !== 'ICEBERG_TABLE') return undefined;
  if (typeof id !== 'string' || typeof metadataLocation !== 'string')
    throw nonsense('a table of its history has no id or metadata');
  const isNumber = typeof snapshotId === 'bigint' || typeof snapshotId === 'number';
  return { id, metadataLocation, snapshotId: isNumber && snapshotId !== -1 ? BigInt(snapshotId) : null };
}

/** Where the table's past goes on after a commit, unless it does so in the same log under the same name. */
function continuation({ parents, operations }: LogEntry, identifier: TableIdentifier): Place | undefined {
  const [own, merged] = parents;
  if (merged !== undefined) return { identifier, hash: merged };
  const left = operations.filter(({ type }) => type === 'DELETE').flatMap(({ key }) => keyed(key));
  const [former] = left;
  // A rename takes one name away and gives another; what else takes names away does not give this one.
  return own !== undefined && former !== undefined && left.length === 1 ? { identifier: former, hash: own } : undefined;
}

function keyed(key: JsonValue | undefined): readonly TableIdentifier[] {
  const elements = isJsonObject(key) ? key['elements'] : undefined;
  if (elements === undefined || !isJsonArray(elements) || elements.length === 0) return [];
  const names = elements.map(String);
  return [{ namespace: names.slice(0, -1), name: names.at(-1) ?? '' }];
}

function isKeyOf(key: JsonValue | undefined, { namespace, name }: TableIdentifier): boolean {
  const names = [...namespace, name];
  return keyed(key).some(
    (each) =>
      [...each.namespace, each.name].every((part, i) => part === names[i]) &&
      each.namespace.length === namespace.length,
  );
}

/** A text within quotes of a CEL expression. Source: CEL language definition, "String and bytes values". */
function escaped(text: string): string {
  return [...text]
    .map((each) =>
      /[A-Za-z0-9_ -]/.test(each) ? each : `\\U${(each.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`,
    )
    .join('');
}

function nonsense(what: string): RestFailure {
  return new RestFailure('unknown', what, { status: 200 });
}
