/** Requests of one REST catalog: lists are read to their end, and failures become errors of the error table. */
import { MoraineError } from '../../errors/index.js';
import { isJsonArray, type JsonObject, type JsonValue } from '../../iceberg/index.js';
import { members, type RestAnswer, type RestClient, type RestRequest } from './rest-client.js';
import { RestFailure } from './rest-failure.js';
import { codeOf, MISSING, type Refusals, unavailable } from './rest-refusals.js';
import type { RestServer } from './rest-server.js';

/** A list that goes on for ever is an error of the server. */
const MAX_PAGES = 100_000;

export class RestRequests {
  readonly #name: string;
  readonly #client: RestClient;
  readonly #server: RestServer;

  readonly #maxPages: number;

  /** @param name of the catalog, for messages */
  constructor(name: string, client: RestClient, server: RestServer, maxPages = MAX_PAGES) {
    this.#name = name;
    this.#client = client;
    this.#server = server;
    this.#maxPages = maxPages;
  }

  /** All pages of a list. */
  async list(
    member: string,
    pathOf: (page: Readonly<Record<string, string>>) => string,
  ): Promise<readonly JsonValue[]> {
    const items: JsonValue[] = [];
    let token = '';
    for (let pages = 0; pages < this.#maxPages; pages += 1) {
      const path = pathOf({ pageToken: encodeURIComponent(token).replaceAll("'", '%27') });
      const { text } = await this.read({ method: 'GET', path }, { missing: 'NAMESPACE_NOT_FOUND' });
      const answer = this.membersOf(text);
      const page = answer[member];
      if (page === undefined || !isJsonArray(page)) throw this.nonsense(`its list has no ${member}`);
      items.push(...page);
      const next = answer['next-page-token'];
      if (typeof next !== 'string' || next === '' || next === token) return items;
      token = next;
    }
    throw this.nonsense(`its list has more than ${this.#maxPages} pages`);
  }

  /** Asks by HEAD where the server has that, else by GET. */
  async exists(path: string, headEndpoint: string): Promise<boolean> {
    const method = this.#server.endpoints.has(headEndpoint) ? 'HEAD' : 'GET';
    try {
      return (await this.#client.read({ method, path })).status !== 404;
    } catch (error) {
      if (!(error instanceof RestFailure)) throw error;
      if (error.status === 404 && error.model !== undefined) return false;
      throw unavailable(this.#client.address, error);
    }
  }

  async read(request: RestRequest, refusals: Refusals): Promise<RestAnswer> {
    try {
      return await this.#client.read(request);
    } catch (error) {
      throw error instanceof RestFailure ? this.errorOf(error, refusals, false) : error;
    }
  }

  async change(request: RestRequest, refusals: Refusals): Promise<RestAnswer> {
    try {
      return await this.#client.change(request, this.#server.keyLifetimeMs);
    } catch (error) {
      throw error instanceof RestFailure ? this.errorOf(error, refusals, true) : error;
    }
  }

  /**
   * Sends a commit: one attempt, for one table or several.
   * @param explain finds the reason of a refusal, which servers give the same status for several reasons
   */
  async commit(
    path: string,
    body: JsonObject,
    explain: (failure: RestFailure) => Promise<MoraineError>,
  ): Promise<RestAnswer> {
    try {
      return await this.#client.change({ method: 'POST', path, body }, this.#server.keyLifetimeMs);
    } catch (error) {
      if (!(error instanceof RestFailure)) throw error;
      const mayBeConflict = error.outcome === 'refused' && [400, 409, 412, 422].includes(error.status ?? 0);
      throw mayBeConflict ? await explain(error) : this.errorOf(error, { missing: 'TABLE_NOT_FOUND' }, true);
    }
  }

  /** @param isChange whether something may have been done although no answer says so */
  errorOf(failure: RestFailure, { missing, conflict, readsFile = false }: Refusals, isChange: boolean): MoraineError {
    const { outcome, model } = failure;
    const named = model === undefined ? undefined : MISSING.get(model.type as never);
    if (isChange && outcome === 'unknown' && !(readsFile && named === 'FILE_NOT_FOUND')) {
      const unknown = `The REST catalog ${this.#client.address} did not say whether a change was made: ${failure.message}.`;
      return new MoraineError('COMMIT_STATE_UNKNOWN', unknown, { cause: failure });
    }
    const code = named ?? codeOf(failure, missing, conflict);
    if (code === undefined) return unavailable(this.#client.address, failure);
    return new MoraineError(code, `Catalog ${this.#name}: ${failure.message}.`, { cause: failure });
  }

  /** @throws MoraineError `UNSUPPORTED_FEATURE` where the server does not announce an endpoint */
  requireEndpoint(endpoint: string, what: string): void {
    if (this.#server.endpoints.has(endpoint)) return;
    const message = `The REST catalog ${this.#client.address} does not let clients ${what}: it does not list ${endpoint}.`;
    throw new MoraineError('UNSUPPORTED_FEATURE', message);
  }

  /** The members of an answer. @throws MoraineError `CATALOG_UNAVAILABLE` for anything but a JSON object */
  membersOf(text: string): JsonObject {
    try {
      return members(text);
    } catch (error) {
      throw error instanceof RestFailure ? unavailable(this.#client.address, error) : error;
    }
  }

  nonsense(what: string): MoraineError {
    return unavailable(this.#client.address, new RestFailure('unknown', what, { status: 200 }));
  }
}
