/** The part of the table of error codes that only reading by Trino throws. */
import { type ErrorEntry, entry } from './error-entry.js';

export const TRINO_ERRORS = {
  TRINO_TABLE_DIFFERS: entry(
    4,
    409,
    false,
    'Trino has another table of that name, or does not see the state of it that is read.',
    'Map the catalog that the message names to the catalog of Trino that has the same tables: trino.catalogs.',
  ),
  TRINO_UNAVAILABLE: entry(
    8,
    503,
    true,
    'Trino does not answer, or its answer to a statement that writes was lost. What it wrote is in a table of its own, which is dropped.',
    'Correct what the message names, or check trino.uri and the network; then try again.',
  ),
  TRINO_REFUSED: entry(
    8,
    503,
    false,
    'Trino refuses a user or a statement, or has ended a query at one of its limits: the same query would end in the same way.',
    'Do what the message says; smaller work, or engine duckdb, may do.',
  ),
  TRINO_QUERY_FAILED: entry(
    8,
    503,
    true,
    'A query on Trino failed, or was ended by an administrator.',
    'See what Trino says of the query that the message names; smaller work, or engine duckdb, may do.',
  ),
} as const satisfies Record<string, ErrorEntry>;
