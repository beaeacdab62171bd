/** Failures of Trino as errors with codes. */
import { TRINO_PROOF, type TrinoClient, TrinoFailure } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';

/** What its user needs for reductions. */
const TABLE_RIGHTS =
  'Its user (trino.user) needs to read the source table, and to read and insert in the staging tables (trino.staging).';

/** What its user needs besides rights on tables. */
export const SYSTEM_RIGHTS =
  'Its user (trino.user) needs to read system.metadata.catalogs and system.runtime.queries, and to call system.runtime.kill_query.';

/** What Trino says as an error with a code. @param rights what to say where the user lacks some */
export function trinoError({ place }: TrinoClient, error: unknown, rights: string = TABLE_RIGHTS): unknown {
  if (!(error instanceof TrinoFailure)) return error;
  const { errorName, isFinal, message } = error;
  const said = `Trino ${place.server} (${place.catalog}): ${message.replace(/\.$/, '')}.`;
  if (errorName === undefined) {
    if (isFinal) return new MoraineError('TRINO_REFUSED', `${said} ${TRINO_PROOF}`, { cause: error });
    return new MoraineError('TRINO_UNAVAILABLE', said, { cause: error });
  }
  if (errorName === 'INVALID_SESSION_PROPERTY')
    return new MoraineError('CONFIG_INVALID', `${said} Correct trino.session.`, { cause: error });
  if (errorName === 'PERMISSION_DENIED')
    return new MoraineError('TRINO_REFUSED', `${said} ${rights}`, { cause: error });
  if (message.startsWith('GENERIC_INTERNAL_ERROR: Millis overflow')) {
    const remedy =
      'A timestamptz lies outside of the years -69387 to 73326, beyond which no version of Trino has any. Let DuckDB do this: engine duckdb.';
    return new MoraineError('UNSUPPORTED_FEATURE', `${said} ${remedy}`, { cause: error });
  }
  return new MoraineError(isFinal ? 'TRINO_REFUSED' : 'TRINO_QUERY_FAILED', said, { cause: error });
}
