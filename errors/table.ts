/**
 * The one table of error codes. It is the documentation page (`docs/errors.md` is written from it),
 * the list of failures that workflows never retry, the HTTP status and the exit code of the command line.
 */

/** Entry of an error code. */
export interface ErrorEntry {
  /** Exit code of the command line, 1-125. */
  readonly exitCode: number;
  /** HTTP status of the API. */
  readonly httpStatus: number;
  /** Whether the same call may succeed later without anything being changed. */
  readonly retryable: boolean;
  /** Meaning, in one sentence. */
  readonly meaning: string;
  /** Remedy for the reader. */
  readonly remedy: string;
}

const entry = (
  exitCode: number,
  httpStatus: number,
  retryable: boolean,
  meaning: string,
  remedy: string,
): ErrorEntry => ({ exitCode, httpStatus, retryable, meaning, remedy });

/** Exit codes: 2 usage, 3 not found, 4 exists or conflicts, 5 refused, 6 unsupported, 7 damaged data, 8 environment, 9 unknown outcome, 70 a bug of ours. */
export const ERROR_TABLE = {
  // Usage and configuration
  INVALID_ARGUMENT: entry(
    2,
    400,
    false,
    'An argument is missing or malformed.',
    'Correct the argument that the message names.',
  ),
  CLOSED: entry(
    2,
    400,
    false,
    'The client, reader or logger that was called is closed.',
    'Close it after its last call, or open another one.',
  ),
  CONFIG_INVALID: entry(2, 400, false, 'moraine.yaml has a mistake.', 'Correct the line that the message names.'),
  CONFIG_NOT_FOUND: entry(
    2,
    400,
    false,
    'No moraine.yaml was found here or above.',
    'Run `moraine init DIR`, or pass --config FILE.',
  ),
  DEFINITION_INVALID: entry(
    2,
    400,
    false,
    'A definition has a mistake.',
    'Correct every problem that the message lists and apply again.',
  ),
  EXPRESSION_INVALID: entry(
    2,
    400,
    false,
    'A filter expression cannot be parsed or does not fit the schema.',
    'Correct the expression at the position that the message names.',
  ),
  TYPE_MISMATCH: entry(
    2,
    400,
    false,
    'A value or column does not have the type that is needed.',
    'Convert the column or value that the message names.',
  ),
  SCHEMA_INVALID: entry(
    2,
    400,
    false,
    'A schema, partition spec or sort order is not valid.',
    'Correct the field that the message names.',
  ),
  INPUT_UNREADABLE: entry(
    2,
    400,
    false,
    'An input file cannot be read in its format.',
    'Check the file and its format.',
  ),
  MEDIA_TYPE_UNSUPPORTED: entry(
    2,
    415,
    false,
    'The body of a request to the HTTP service is not JSON.',
    'Send JSON with the header `content-type: application/json`.',
  ),
  NOT_ACCEPTABLE: entry(2, 406, false, 'The service has no accepted media type.', 'Correct the header Accept.'),
  METHOD_NOT_ALLOWED: entry(
    2,
    405,
    false,
    'A path of the HTTP service was asked with a method that it does not have.',
    'Use a method of the header `Allow`.',
  ),
  // Not found
  PATH_NOT_FOUND: entry(
    3,
    404,
    false,
    'The HTTP service has no such path.',
    'Use one of the paths that docs/http-api.md lists.',
  ),
  NAMESPACE_NOT_FOUND: entry(3, 404, false, 'The namespace does not exist.', 'Create it, or correct the name.'),
  TABLE_NOT_FOUND: entry(
    3,
    404,
    false,
    'The table does not exist.',
    'Check the name; `moraine table create` makes a table.',
  ),
  COLUMN_NOT_FOUND: entry(
    3,
    404,
    false,
    'A column does not exist in the schema.',
    'Use one of the columns that the message lists.',
  ),
  SNAPSHOT_NOT_FOUND: entry(
    3,
    404,
    false,
    'The snapshot, tag, branch or time is not in the table.',
    'See `moraine table history`.',
  ),
  SNAPSHOT_EXPIRED: entry(
    3,
    410,
    false,
    'The snapshot has been expired from the table.',
    'Read a newer snapshot, or pin snapshots that must stay with a tag.',
  ),
  FEATURE_VIEW_NOT_FOUND: entry(
    3,
    404,
    false,
    'The feature view is not registered.',
    'Run `moraine apply`, or use one of the names that the message lists.',
  ),
  FEATURE_NOT_FOUND: entry(
    3,
    404,
    false,
    'The feature is not in the feature view.',
    'Use one of the names that the message lists.',
  ),
  FEATURE_SERVICE_NOT_FOUND: entry(
    3,
    404,
    false,
    'The feature service is not registered.',
    'Run `moraine apply`, or use one of the names that the message lists.',
  ),
  DATASET_NOT_FOUND: entry(
    3,
    404,
    false,
    'The dataset was never saved.',
    'See `moraine features datasets`, or use one of the names that the message lists.',
  ),
  ENTITY_NOT_FOUND: entry(3, 404, false, 'The entity is not defined.', 'Define the entity, or correct the name.'),
  WORKFLOW_NOT_FOUND: entry(
    3,
    404,
    false,
    'The workflow does not exist on the Temporal server.',
    'Check the id and the namespace.',
  ),
  SCHEDULE_NOT_FOUND: entry(
    3,
    404,
    false,
    'The schedule does not exist on the Temporal server.',
    'Check the id with `moraine schedule list`.',
  ),
  FILE_NOT_FOUND: entry(
    7,
    500,
    false,
    'A file does not exist.',
    'Check the path; if a table lists the file, the table is damaged: restore the file.',
  ),
  // Exists or conflicts
  NAMESPACE_ALREADY_EXISTS: entry(4, 409, false, 'The namespace exists already.', 'Use it, or choose another name.'),
  NAMESPACE_NOT_EMPTY: entry(4, 409, false, 'The namespace still holds tables.', 'Drop its tables first.'),
  TABLE_ALREADY_EXISTS: entry(4, 409, false, 'The table exists already.', 'Use it, or choose another name.'),
  DATASET_ALREADY_EXISTS: entry(
    4,
    409,
    false,
    'A dataset of that name was saved before.',
    'Nothing was overwritten; choose another name.',
  ),
  FILE_CHANGED: entry(
    4,
    409,
    false,
    'Another file took the place of the one that was being read.',
    'Start again: whatever named the file is of an earlier state of the table.',
  ),
  FILE_ALREADY_EXISTS: entry(
    4,
    409,
    false,
    'A file of that name exists already.',
    'Nothing was overwritten; choose another name.',
  ),
  COMMIT_CONFLICT: entry(
    4,
    409,
    true,
    'Another writer changed the table in a way that this commit cannot be re-applied to.',
    'Run it again on the newer table.',
  ),
  TABLE_REPLACED: entry(
    4,
    409,
    false,
    'The table was dropped and created again (its uuid changed) since the work was planned.',
    'Start a new run on the new table.',
  ),
  TABLE_MOVED: entry(
    4,
    409,
    false,
    'The table has moved to another catalog or is about to: its old name refuses writes.',
    'Write to the new name, or finish the move with the same command.',
  ),
  PROJECT_MISMATCH: entry(
    4,
    409,
    false,
    'A run, a schedule or a task queue belongs to another project.',
    'Give each project on a Temporal server a task queue of its own: set temporal.taskQueue in its moraine.yaml, and restart its workers.',
  ),
  RUN_ALREADY_ACTIVE: entry(4, 409, false, 'Another run of the same work is in flight.', 'Wait for it, or cancel it.'),
  SCHEDULE_ALREADY_EXISTS: entry(
    4,
    409,
    false,
    'A schedule of that id exists already.',
    'Delete it with `moraine schedule delete`, or choose another id with --id.',
  ),
  PLAN_STALE: entry(
    4,
    409,
    false,
    'The source, the view or the files of the windows changed since the plan was made.',
    'Make the plan again and look at it.',
  ),
  MATERIALIZATION_REQUIRED: entry(
    4,
    409,
    false,
    'The feature view was redefined, and its online table still holds the values of the earlier definition.',
    'Run `moraine materialize` for the view that the message names.',
  ),
  DEFINITION_ALREADY_EXISTS: entry(
    4,
    409,
    false,
    'A definition of that name is registered and differs.',
    'Choose another name, or change the definition with `moraine apply`.',
  ),
  DUPLICATE_NAME: entry(
    4,
    409,
    false,
    'Two outputs would have the same name.',
    'Use --full-names, or choose fewer features.',
  ),
  // Refused
  UNAUTHENTICATED: entry(
    5,
    401,
    false,
    'A request to the HTTP service has no API key, or one that is not known.',
    'Send the header `Authorization: Bearer KEY`; `moraine serve key create` makes a key.',
  ),
  PERMISSION_DENIED: entry(
    5,
    403,
    false,
    'The API key of a request does not have the scope that the path needs.',
    'Use a key with the scope that the message names.',
  ),
  LOCATION_REFUSED: entry(
    5,
    403,
    false,
    'A location is outside the allowed storage roots or has another scheme.',
    'Add the folder to storage.roots (or --root) if you trust it.',
  ),
  FOLDER_SHARED: entry(
    5,
    403,
    false,
    'A folder of the table is not its own: it overlaps a folder of another table, or holds a storage root or the project.',
    'Give the table folders of its own, or drop the name that should not be there. Until then none of its files is deleted.',
  ),
  LIMIT_EXCEEDED: entry(
    5,
    413,
    false,
    'An input is larger than a safety limit.',
    'Do what the message says, or raise the limit that it names if the input is trusted.',
  ),
  // Unsupported
  UNSUPPORTED_FEATURE: entry(
    6,
    501,
    false,
    'The table or request uses a feature that is not supported.',
    'See the message for what and for the remedy.',
  ),
  DELETE_FILES_UNSUPPORTED: entry(
    6,
    501,
    false,
    'The table has delete files, and the operation would not keep to them.',
    'Compact the table with the engine that wrote the deletes.',
  ),
  FORMAT_VERSION_UNSUPPORTED: entry(
    6,
    501,
    false,
    'The table has a format version that this operation does not support.',
    'See the message for the versions that are supported.',
  ),
  // Damaged data
  METADATA_CORRUPT: entry(
    7,
    500,
    false,
    'Table metadata cannot be read.',
    'Restore the file that the message names, or point the catalog at the previous metadata file.',
  ),
  MANIFEST_CORRUPT: entry(
    7,
    500,
    false,
    'A manifest or manifest list cannot be read.',
    'Restore the file that the message names, or roll the table back.',
  ),
  DATA_FILE_CORRUPT: entry(
    7,
    500,
    false,
    'A data file cannot be read or is not what the manifest says.',
    'Restore the file that the message names, or roll the table back.',
  ),
  DELETE_FILE_CORRUPT: entry(
    7,
    500,
    false,
    'A delete file or deletion vector cannot be read or is not what the manifest says.',
    'Restore the file that the message names, or roll the table back.',
  ),
  PAYLOAD_UNREADABLE: entry(
    7,
    500,
    false,
    'An encrypted payload on the Temporal server was changed, or another key has its id.',
    'Check that every worker and client has the same keys.',
  ),
  // Environment
  TEMPORAL_UNAVAILABLE: entry(
    8,
    503,
    true,
    'No Temporal server can be reached or started.',
    'Set TEMPORAL_ADDRESS, or install the temporal command.',
  ),
  DEPLOYMENT_NOT_CURRENT: entry(
    8,
    503,
    true,
    'The workers of the task queue belong to a worker deployment that has no current version, so that no run starts.',
    'Run `moraine deployment set-current`, or `temporal worker deployment set-current-version`.',
  ),
  ENCRYPTION_KEY_UNKNOWN: entry(
    8,
    503,
    true,
    'A payload on the Temporal server was encrypted with a key that is not configured.',
    'Add the key that the message names to MORAINE_ENCRYPTION_KEYS or the key file, after the newest one.',
  ),
  TASK_QUEUE_UNPOLLED: entry(8, 503, true, 'No worker polls the task queue.', 'Start one with `moraine worker`.'),
  CATALOG_UNAVAILABLE: entry(8, 503, true, 'The catalog does not answer.', 'Check the catalog and try again.'),
  STORAGE_UNAVAILABLE: entry(
    8,
    503,
    true,
    'Storage failed (disk full, permission, too many open files, time-out).',
    'Correct what the message names and try again.',
  ),
  ENGINE_OUT_OF_MEMORY: entry(
    8,
    503,
    false,
    'A query needed more memory or temporary disk than the engine may use.',
    'Raise engine.memoryLimit, or give it more temporary disk.',
  ),
  OVERLOADED: entry(
    8,
    429,
    true,
    'More work waits than there is room or time for.',
    'Try again later, ask for less at once, or raise the limit that the message names.',
  ),
  SERVICE_CLOSING: entry(8, 503, true, 'The service stopped before its answer.', 'Ask again when it runs again.'),
  REQUEST_TIMED_OUT: entry(
    8,
    408,
    true,
    'A request to the HTTP service did not arrive in time.',
    'Send it again, or raise server.requestTimeoutMs.',
  ),
  TIMED_OUT: entry(
    8,
    504,
    true,
    'The operation took longer than its time limit.',
    'Try again, or raise the limit that the message names.',
  ),
  CANCELLED: entry(
    8,
    499,
    false,
    'The operation was cancelled.',
    'If that was intended, nothing is left to do; otherwise run it again: what was committed stays and is not done twice.',
  ),
  // Unknown outcome
  COMMIT_STATE_UNKNOWN: entry(
    9,
    503,
    true,
    'The catalog did not say whether a commit landed.',
    'Nothing was cleaned up; the next attempt looks for the commit by its key before it does anything.',
  ),
  // Ours
  VERIFICATION_FAILED: entry(10, 500, false, 'A self-check found a different answer.', 'Report it with the output.'),
  RUN_FAILED: entry(
    11,
    500,
    false,
    'A workflow run failed.',
    'See the reason in the message and the run in the Temporal UI.',
  ),
  NONDETERMINISM: entry(
    12,
    500,
    false,
    'A recorded history does not replay on this workflow code.',
    'Guard the change with `patched`, or give the workflow a new version.',
  ),
  INTERNAL: entry(70, 500, false, 'A bug in Moraine.', 'Report it with the stack trace (--verbose).'),
} as const satisfies Record<string, ErrorEntry>;

/** One of the closed list of error codes. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** Codes that a workflow never retries: the `nonRetryableErrorTypes` of every activity. */
export const NON_RETRYABLE_CODES: readonly ErrorCode[] = (Object.keys(ERROR_TABLE) as ErrorCode[]).filter(
  (code) => !ERROR_TABLE[code].retryable,
);
