/** Online reads of a project. */
import {
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
  const { readTimeoutMs } = project.config.online;
  return readOnlineFeatures({ ...(await materializationDeps(project)), readTimeoutMs }, request);
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
