/** Rows of online reads by the names of their features. */
import type { OnlineResponse, OnlineValue } from '../online/index.js';

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
