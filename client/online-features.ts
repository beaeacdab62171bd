/** Online reads of a project. */
import {
  OnlineReader,
  type OnlineRequest,
  type OnlineResponse,
  type OnlineValue,
  getOnlineFeatures as readOnlineFeatures,
} from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';

/**
 * The newest feature values of entities, every view at one snapshot.
 *
 * @throws `FEATURE_VIEW_NOT_FOUND`, `FEATURE_NOT_FOUND`, `TABLE_NOT_FOUND` (never materialized), `TYPE_MISMATCH` (a key of another
 * type), `TIMED_OUT` (never a partial answer) after the request's `readTimeoutMs` or, since all is opened first, the time of a first read
 */
export async function getOnlineFeatures(project: Project, request: OnlineRequest): Promise<OnlineResponse> {
  const { readTimeoutMs, queueTimeoutMs } = project.config.online;
  return readOnlineFeatures({ ...(await materializationDeps(project)), readTimeoutMs, queueTimeoutMs }, request);
}

/** The one reader of online tables that a client has, opened by the first read. */
export class ProjectReader {
  readonly #project: Project;
  #reader: Promise<OnlineReader> | undefined;

  constructor(project: Project) {
    this.#project = project;
  }

  open(): Promise<OnlineReader> {
    const { readTimeoutMs, queueTimeoutMs, cacheBytes } = this.#project.config.online;
    this.#reader ??= materializationDeps(this.#project).then(
      (deps) => new OnlineReader({ ...deps, readTimeoutMs, queueTimeoutMs, cacheBytes }),
    );
    // The next read tries again to open it.
    this.#reader.catch(() => {
      this.#reader = undefined;
    });
    return this.#reader;
  }

  async close(): Promise<void> {
    const reader = await this.#reader?.catch(() => undefined);
    await reader?.close();
  }
}

/** A row of any features. */
export type AnyOnlineRow = Readonly<Record<string, OnlineValue>>;

/** An answer whose rows can also be read by the names of the features. */
export interface NamedOnlineResponse<Row = AnyOnlineRow> extends OnlineResponse {
  /** The same values as `rows`, each row by the names of the features in the answer. */
  readonly rowsByName: readonly Row[];
}

/** Adds rows by feature name to an answer; they are made when they are first asked for. */
export function withNamedRows(response: OnlineResponse): NamedOnlineResponse {
  let rowsByName: readonly AnyOnlineRow[] | undefined;
  return {
    ...response,
    get rowsByName() {
      rowsByName ??= response.rows.map((row) => namedRow(response, row));
      return rowsByName;
    },
  };
}

function namedRow({ features }: OnlineResponse, row: readonly OnlineValue[]): AnyOnlineRow {
  return Object.fromEntries(row.map((value, index) => [features[index]?.name ?? '', value]));
}
