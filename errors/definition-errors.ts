/** The part of the table of error codes of definitions that do not go with what is registered or stored. */
import { type ErrorEntry, entry } from './error-entry.js';

export const DEFINITION_ERRORS = {
  MATERIALIZATION_REQUIRED: entry(
    4,
    409,
    false,
    'The feature view was redefined, and its online table still holds the values of the earlier definition.',
    'Run `moraine materialize` for the view that the message names.',
  ),
  ONLINE_TABLE_INCOMPATIBLE: entry(
    4,
    409,
    false,
    'The online table of a feature view identifies rows in another way than the view does now: by other join keys, or keys of another type.',
    'Drop the table with `moraine online teardown VIEW --yes` or `moraine apply --prune`, pushed rows with it; or give the view another name.',
  ),
  DEFINITION_ALREADY_EXISTS: entry(
    4,
    409,
    false,
    'A definition of that name is registered and differs.',
    'Choose another name, or change the definition with `moraine apply`.',
  ),
} as const satisfies Record<string, ErrorEntry>;
