/**
 * The catalog behind a server of the Iceberg REST catalog specification. The server writes metadata files and decides where tables lie;
 * the metadata of a table comes with its answers, and the file that an answer names is never read.
 */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import {
  applyUpdates,
  checkRequirements,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonObject,
  newTableMetadata,
  partitionSpecToJson,
  requirementToJson,
  requireVersionTwoTypes,
  schemaToJson,
  sortOrderToJson,
  type TableMetadata,
  tableMetadataFromJson,
  updateToJson,
} from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import type { PrefixGrant, StorageGrants } from '../../storage/index.js';
import type {
  Catalog,
  CommitRequest,
  CreateTableRequest,
  LoadedTable,
  LoadOptions,
  TableCommit,
  TableIdentifier,
} from '../catalog.js';
import type { Clock } from '../clock.js';
import { announceCommit } from '../commit-outcome.js';
import { requireDistinct } from '../distinct-tables.js';
import { withoutTrailingSlash } from '../location-names.js';
import { formatTableName } from '../table-name.js';
import type { RestAnswer, RestClient } from './rest-client.js';
import type { RestFailure } from './rest-failure.js';
import { foldersOf, grantedPrefixes } from './rest-grants.js';
import { RestPaths } from './rest-paths.js';
import { RestRequests } from './rest-requests.js';
import { checkedPrefix, type RestServer, textEntries } from './rest-server.js';

/** Tables whose last answer is kept, for servers that say whether it is still the newest. */
const MAX_KEPT = 64;

/** What a REST catalog is opened on. */
export interface RestCatalogPlace {
  /** What it is called here. */
  readonly name: string;
  readonly client: RestClient;
  readonly server: RestServer;
  readonly clock: Clock;
  /** As in {@link Catalog}. */
  readonly fileOwner?: string | undefined;
  readonly warehouse?: string | undefined;
  /** Another prefix than that of the server's configuration, encoded. */
  readonly prefix?: string | undefined;
  /** Where to keep the access to files that its answers give; without it they are not asked for any. */
  readonly grants?: StorageGrants | undefined;
}

/** How some servers give access anew. */
const CREDENTIALS = 'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials';
const VIEWS = 'GET /v1/{prefix}/namespaces/{namespace}/views';
const VIEW_PATH = '/v1/{prefix}/namespaces/{namespace}/views/{view}';
const VIEW = `GET ${VIEW_PATH}`;
const TRANSACTION = 'POST /v1/{prefix}/transactions/commit';
const REGISTER = 'POST /v1/{prefix}/namespaces/{namespace}/register';
const NO_FIELDS = { type: 'struct', 'schema-id': 0, fields: [] } as const;

export class RestCatalog implements Catalog {
  readonly name: string;
  readonly id: string;
  readonly clock: Clock;
  readonly fileOwner: string | undefined;
  readonly listViews?: NonNullable<Catalog['listViews']>;
  readonly commitTables?: NonNullable<Catalog['commitTables']>;
  readonly registersTables: boolean;
  readonly #client: RestClient;
  readonly #server: RestServer;
  readonly #requests: RestRequests;
  readonly #paths: RestPaths;
  readonly #grants: StorageGrants | undefined;
  /** The last answer for each table, with its entity tag. The least recently used is first. */
  readonly #kept = new Map<string, { readonly etag: string; readonly table: LoadedTable }>();

  constructor(place: RestCatalogPlace) {
    const { name, client, server, clock, fileOwner, warehouse = '', prefix: other, grants } = place;
    const prefix = checkedPrefix(other ?? server.properties.get('prefix'));
    this.name = name;
    this.id = `${client.address}#${prefix ?? warehouse}`;
    this.clock = clock;
    this.fileOwner = fileOwner;
    this.registersTables = server.endpoints.has(REGISTER);
    this.#client = client;
    this.#server = server;
    this.#requests = new RestRequests(name, client, server);
    this.#grants = grants;
    this.#paths = new RestPaths({ prefix, separator: server.properties.get('namespace-separator') });
    if (server.endpoints.has(VIEWS)) this.listViews = (namespace) => this.#identifiers(namespace, '/views');
    if (server.endpoints.has(TRANSACTION)) this.commitTables = (commits) => this.#commitTables(commits);
  }

  async listNamespaces(parent: readonly string[] = []): Promise<readonly (readonly string[])[]> {
    const query = parent.length === 0 ? {} : { parent: this.#paths.encodedNamespace(parent) };
    const found = await this.#requests.list('namespaces', (page) => this.#paths.namespaces({ ...query, ...page }));
    return found.map((each) => textsOf(each));
  }

  async namespaceExists(namespace: readonly string[]): Promise<boolean> {
    return await this.#requests.exists(this.#paths.namespace(namespace), 'HEAD /v1/{prefix}/namespaces/{namespace}');
  }

  async createNamespace(
    namespace: readonly string[],
    properties: ReadonlyMap<string, string> = new Map(),
  ): Promise<void> {
    this.#paths.encodedNamespace(namespace);
    const body = { namespace, properties: jsonObject(properties) };
    const refusals = { missing: 'NAMESPACE_NOT_FOUND', conflict: 'NAMESPACE_ALREADY_EXISTS' } as const;
    await this.#requests.change({ method: 'POST', path: this.#paths.namespaces(), body }, refusals);
  }

  async loadNamespaceProperties(namespace: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const path = this.#paths.namespace(namespace);
    const { text } = await this.#requests.read({ method: 'GET', path }, { missing: 'NAMESPACE_NOT_FOUND' });
    const { properties } = this.#requests.membersOf(text);
    return new Map(textEntries(properties));
  }

  async dropNamespace(namespace: readonly string[]): Promise<void> {
    const path = this.#paths.namespace(namespace);
    const refusals = { missing: 'NAMESPACE_NOT_FOUND', conflict: 'NAMESPACE_NOT_EMPTY' } as const;
    await this.#requests.change({ method: 'DELETE', path }, refusals);
  }

  listTables(namespace: readonly string[]): Promise<readonly TableIdentifier[]> {
    return this.#identifiers(namespace, '/tables');
  }

  async #identifiers(namespace: readonly string[], below: string): Promise<readonly TableIdentifier[]> {
    const found = await this.#requests.list('identifiers', (page) => this.#paths.namespace(namespace, below, page));
    return found.map((each) => {
      const { namespace: levels, name } = isJsonObject(each) ? each : {};
      if (typeof name !== 'string') throw this.#requests.nonsense('something without a name is in its list');
      return { namespace: textsOf(levels), name };
    });
  }

  async tableExists(identifier: TableIdentifier): Promise<boolean> {
    const head = 'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}';
    return await this.#requests.exists(this.#paths.table(identifier), head);
  }

  /** Asks the server for a table that is not made: it alone knows where tables go. */
  async newTableLocation(identifier: TableIdentifier): Promise<string> {
    const { namespace } = identifier;
    // Servers stage tables in namespaces that do not exist.
    if (!(await this.namespaceExists(namespace))) {
      const message = `There is no namespace ${namespace.join('.')} in catalog ${this.name}.`;
      throw new MoraineError('NAMESPACE_NOT_FOUND', message);
    }
    return (await this.#stage(identifier)).metadata.location;
  }

  /** A table as it would be, or as it is. */
  async #stage(identifier: TableIdentifier, location?: string): Promise<LoadedTable> {
    const place = location === undefined ? {} : { location };
    const body = { name: identifier.name, schema: NO_FIELDS, 'stage-create': true, ...place };
    try {
      const { text } = await this.#createRequest(identifier, body);
      return this.#tableOf(identifier, text, true);
    } catch (error) {
      if (!isMoraineError(error, 'TABLE_ALREADY_EXISTS')) throw error;
      return await this.loadTable(identifier);
    }
  }

  async reach(identifier: TableIdentifier, file?: string): Promise<void> {
    const isReached = file === undefined ? this.#grants?.has(this.#grantKey(identifier)) : this.#grants?.find(file);
    if (this.#grants === undefined || Boolean(isReached)) return;
    const [, folder] = /^(.+)\/(?:metadata|staged)\/[^/]+$/.exec(file ?? '') ?? [];
    try {
      await this.loadTable(identifier);
    } catch (error) {
      if (folder === undefined || !isMoraineError(error, 'TABLE_NOT_FOUND')) throw error;
      await this.#stage(identifier, folder);
    }
  }

  #grantKey(identifier: TableIdentifier, location = ''): string {
    return JSON.stringify([this.id, formatTableName(identifier), location]);
  }

  /** Keeps what an answer gives to open the table's files. Answers to commits give nothing, and take nothing away. */
  #grant(answer: JsonObject, { identifier, metadata }: LoadedTable, isStaged: boolean): void {
    if (this.#grants === undefined) return;
    const prefixes = this.#prefixesOf(answer, metadata.location);
    const key = this.#grantKey(identifier, isStaged ? metadata.location : '');
    if (prefixes.length === 0 && this.#grants.has(key)) return;
    const own = prefixes.map(({ prefix }) => prefix).filter((prefix) => /^(s3|gs):\/\/[^/]+\/./.test(prefix));
    const { tableUuid, location } = metadata;
    const renew = () => this.#renewed(identifier, { tableUuid, location }, isStaged);
    this.#grants.set(key, { folders: [...foldersOf(metadata), ...own], prefixes, renew });
  }

  #prefixesOf(answer: JsonObject, location: Location): readonly PrefixGrant[] {
    return grantedPrefixes(answer, this.#server.properties, this.#client, this.#grants?.addressAt(location));
  }

  /** Access to the same table's files, asked for anew. */
  async #renewed(
    identifier: TableIdentifier,
    { tableUuid, location }: Pick<TableMetadata, 'tableUuid' | 'location'>,
    isStaged: boolean,
  ) {
    const missing = 'TABLE_NOT_FOUND' as const;
    if (isStaged) {
      const body = { name: identifier.name, schema: NO_FIELDS, 'stage-create': true, location };
      return this.#prefixesOf(this.#requests.membersOf((await this.#createRequest(identifier, body)).text), location);
    }
    const path = this.#paths.table(identifier);
    if (this.#server.endpoints.has(CREDENTIALS)) {
      const { text } = await this.#requests.read({ method: 'GET', path: `${path}/credentials` }, { missing });
      return this.#prefixesOf(this.#requests.membersOf(text), location);
    }
    const answer = this.#requests.membersOf((await this.#requests.read({ method: 'GET', path }, { missing })).text);
    const { metadata } = this.#parsed(identifier, answer);
    if (metadata.tableUuid === tableUuid) return this.#prefixesOf(answer, location);
    const message = `Table ${formatTableName(identifier, this.name)} was replaced by another one of its name. Start the run again.`;
    throw new MoraineError('TABLE_REPLACED', message);
  }

  async createTable(identifier: TableIdentifier, request: CreateTableRequest): Promise<LoadedTable> {
    const { schema, partitionSpec, sortOrder, location, properties, formatVersion = 2 } = request;
    if (formatVersion < 3) requireVersionTwoTypes(schema);
    // What is wrong with it is found here: servers say it each in another way.
    newTableMetadata({ ...request, location: location ?? '', tableUuid: '', nowMs: 0n });
    const body = jsonObject([
      ['name', identifier.name],
      ['location', location === undefined ? undefined : withoutTrailingSlash(location)],
      ['schema', schemaToJson(schema)],
      ['partition-spec', partitionSpec === undefined ? undefined : partitionSpecToJson(partitionSpec)],
      ['write-order', sortOrder === undefined ? undefined : sortOrderToJson(sortOrder)],
      ['stage-create', false],
      ['properties', jsonObject([...(properties ?? []), ['format-version', String(formatVersion)]])],
    ]);
    return this.#changed(identifier, await this.#createRequest(identifier, body));
  }

  async #createRequest(identifier: TableIdentifier, body: JsonObject): Promise<RestAnswer> {
    this.#paths.table(identifier);
    const path = this.#paths.namespace(identifier.namespace, '/tables');
    const refusals = { missing: 'NAMESPACE_NOT_FOUND', conflict: 'TABLE_ALREADY_EXISTS' } as const;
    return await this.#requests.change({ method: 'POST', path, body }, refusals);
  }

  async registerTable(identifier: TableIdentifier, metadataLocation: string): Promise<LoadedTable> {
    this.#requests.requireEndpoint(REGISTER, 'register tables');
    this.#paths.table(identifier);
    const path = this.#paths.namespace(identifier.namespace, '/register');
    const body = { name: identifier.name, 'metadata-location': metadataLocation };
    const refusals = { missing: 'NAMESPACE_NOT_FOUND', conflict: 'TABLE_ALREADY_EXISTS', readsFile: true } as const;
    return this.#changed(identifier, await this.#requests.change({ method: 'POST', path, body }, refusals));
  }

  async loadTable(identifier: TableIdentifier, { snapshots = 'all' }: LoadOptions = {}): Promise<LoadedTable> {
    try {
      return snapshots === 'refs' ? await this.#loadRefs(identifier) : await this.#loadWhole(identifier);
    } catch (error) {
      if (isMoraineError(error, 'TABLE_NOT_FOUND') && (await this.#isView(identifier)))
        throw this.#viewRefused(identifier);
      throw error;
    }
  }

  async #loadWhole(identifier: TableIdentifier): Promise<LoadedTable> {
    const kept = this.#kept.get(formatTableName(identifier));
    const headers = kept === undefined ? {} : { headers: { 'if-none-match': kept.etag } };
    const path = this.#paths.table(identifier);
    const answer = await this.#requests.read({ method: 'GET', path, ...headers }, { missing: 'TABLE_NOT_FOUND' });
    if (answer.status !== 304) return this.#keep(answer, this.#tableOf(identifier, answer.text));
    if (kept === undefined) throw this.#requests.nonsense('it says that an answer did not change that it never gave');
    return kept.table;
  }

  /** The table without its past, which is not kept for those who need it whole. */
  async #loadRefs(identifier: TableIdentifier): Promise<LoadedTable> {
    const path = this.#paths.table(identifier, { snapshots: 'refs' });
    const { text } = await this.#requests.read({ method: 'GET', path }, { missing: 'TABLE_NOT_FOUND' });
    return this.#tableOf(identifier, text);
  }

  async #isView(identifier: TableIdentifier): Promise<boolean> {
    const { endpoints } = this.#server;
    if (!endpoints.has(VIEW) && !endpoints.has(`HEAD ${VIEW_PATH}`)) return false;
    return await this.#requests.exists(this.#paths.view(identifier), `HEAD ${VIEW_PATH}`);
  }

  #viewRefused(identifier: TableIdentifier): MoraineError {
    const name = formatTableName(identifier, this.name);
    const message = `${name} is a view of the catalog, and Moraine reads tables only. Name the table that the view reads, or write its rows to a table with the engine that made the view.`;
    return new MoraineError('UNSUPPORTED_FEATURE', message, { details: { view: name } });
  }

  async commitTable(identifier: TableIdentifier, request: CommitRequest): Promise<LoadedTable> {
    const commit = { identifier, ...request };
    const path = this.#paths.table(identifier);
    return await announceCommit(async () => {
      const explain = (failure: RestFailure) => this.#refusal([commit], failure);
      return this.#changed(identifier, await this.#requests.commit(path, commitToJson(commit), explain));
    });
  }

  /** One request of the server's own, which answers without the tables. */
  async #commitTables(commits: readonly TableCommit[]): Promise<void> {
    requireDistinct(commits);
    if (commits.length === 0) return;
    for (const { identifier } of commits) this.#paths.table(identifier);
    const body = { 'table-changes': commits.map(commitToJson) };
    await announceCommit(async () => {
      await this.#requests.commit(this.#paths.of('transactions/commit'), body, (failure) =>
        this.#refusal(commits, failure),
      );
    });
  }

  /** Servers say "conflict" and "bad request" for many reasons. The tables as they are now tell which. */
  async #refusal(commits: readonly TableCommit[], failure: RestFailure): Promise<MoraineError> {
    for (const { identifier, requirements, updates } of commits) {
      try {
        const { metadata } = await this.loadTable(identifier);
        checkRequirements(metadata, requirements);
        applyUpdates(metadata, updates, BigInt(this.clock.nowMs()));
      } catch (error) {
        if (isMoraineError(error) && error.code !== 'CATALOG_UNAVAILABLE') return error;
      }
    }
    const names = commits.map(({ identifier }) => formatTableName(identifier, this.name)).join(', ');
    const message = `Table ${names}: the REST catalog refused the commit: ${failure.message}.`;
    const code = failure.status === 400 || failure.status === 422 ? 'INVALID_ARGUMENT' : 'COMMIT_CONFLICT';
    return new MoraineError(code, message, { cause: failure });
  }

  dropTable(identifier: TableIdentifier): Promise<void> {
    return this.#drop(identifier, 'false');
  }

  purgeTable(identifier: TableIdentifier): Promise<void> {
    return this.#drop(identifier, 'true');
  }

  async #drop(identifier: TableIdentifier, purgeRequested: 'true' | 'false'): Promise<void> {
    const path = this.#paths.table(identifier, { purgeRequested });
    await this.#requests.change({ method: 'DELETE', path }, { missing: 'TABLE_NOT_FOUND' });
    this.#kept.delete(formatTableName(identifier));
  }

  async renameTable(from: TableIdentifier, to: TableIdentifier): Promise<void> {
    this.#requests.requireEndpoint('POST /v1/{prefix}/tables/rename', 'rename tables');
    this.#paths.table(from);
    this.#paths.table(to);
    const body = { source: { ...from }, destination: { ...to } };
    const refusals = { missing: 'TABLE_NOT_FOUND', conflict: 'TABLE_ALREADY_EXISTS' } as const;
    await this.#requests.change({ method: 'POST', path: this.#paths.of('tables/rename'), body }, refusals);
    this.#kept.delete(formatTableName(from));
  }

  siblings(): Promise<readonly Catalog[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    this.#kept.clear();
    return Promise.resolve();
  }

  /** The table of an answer to a change: one that cannot be read leaves open what was done. */
  #changed(identifier: TableIdentifier, answer: RestAnswer): LoadedTable {
    try {
      return this.#keep(answer, this.#tableOf(identifier, answer.text));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new MoraineError('COMMIT_STATE_UNKNOWN', `The answer to a change cannot be read: ${reason}`, { cause });
    }
  }

  #keep({ etag }: RestAnswer, table: LoadedTable): LoadedTable {
    const name = formatTableName(table.identifier);
    this.#kept.delete(name);
    if (etag === undefined) return table;
    this.#kept.set(name, { etag, table });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return table;
  }

  /** The table of `LoadTableResult` or `CommitTableResponse`, whose files can be opened from now on. */
  #tableOf(identifier: TableIdentifier, text: string, isStaged = false): LoadedTable {
    const answer = this.#requests.membersOf(text);
    const table = this.#parsed(identifier, answer, isStaged);
    this.#grant(answer, table, isStaged);
    return table;
  }

  #parsed(identifier: TableIdentifier, answer: JsonObject, isStaged = false): LoadedTable {
    const name = formatTableName(identifier);
    const { metadata, 'metadata-location': location } = answer;
    if (!isJsonObject(metadata)) throw this.#requests.nonsense(`its answer for table ${name} has no metadata`);
    // Only a table that is staged has none. Whatever asks what a table needs must not take its metadata file for an orphan.
    if (typeof location !== 'string' && !isStaged)
      throw this.#requests.nonsense(`its answer for table ${name} has no metadata-location`);
    const metadataLocation = typeof location === 'string' ? location : '';
    try {
      return { identifier, metadataLocation, metadata: tableMetadataFromJson(metadata) };
    } catch (error) {
      if (!isMoraineError(error)) throw error;
      const message = `Table ${formatTableName(identifier, this.name)}, as the REST catalog gives it: ${error.message}`;
      throw new MoraineError(error.code, message, { cause: error });
    }
  }
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return value !== undefined && isJsonArray(value) ? value.map(String) : [];
}

/** `CommitTableRequest` of the specification. */
function commitToJson({ identifier: { namespace, name }, requirements, updates }: TableCommit): JsonObject {
  return {
    identifier: { namespace, name },
    requirements: requirements.map(requirementToJson),
    updates: updates.map(updateToJson),
  };
}
