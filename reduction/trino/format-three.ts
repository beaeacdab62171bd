/** What Moraine does not ask of Trino: format version 3. Which version reads it, experimentally: AWS Prescriptive Guidance, "Apache Iceberg on AWS", on Trino of Amazon EMR; tests run with 476, the last on Maven. */
import { MoraineError } from '../../errors/index.js';

/** The newest format version of tables that Trino is asked to read. */
export const NEWEST_TRINO_FORMAT = 2;

export const FORMAT_THREE =
  'format version 3, which Trino reads from version 483 on, and Moraine does not ask it to yet';

/** @param problem what is of that version */
export function refusedFormatThree(problem: string): MoraineError {
  return new MoraineError('UNSUPPORTED_FEATURE', `${problem} ${FORMAT_THREE}. Let DuckDB do this: engine duckdb.`);
}
