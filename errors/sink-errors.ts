/** The part of the table of error codes that only sinks throw. */
import { type ErrorEntry, entry } from './error-entry.js';

export const SINK_ERRORS = {
  SINK_FENCED: entry(
    4,
    409,
    false,
    'Another coordinator has claimed the sink.',
    'Stop this one, or open the sink anew.',
  ),
  SINK_POSITION_MISMATCH: entry(
    4,
    409,
    false,
    "A sink was given records that do not follow the positions that the table's history has committed.",
    'Open the sink anew and read on from its committed positions.',
  ),
  SINK_POSITION_UNKNOWN: entry(
    4,
    409,
    false,
    "The table's history has lost the positions of a sink: its snapshots and older metadata files are gone.",
    'Use a sink of a new name, and start its source after the records that the table has.',
  ),
  SINK_SCHEMA_CHANGED: entry(
    4,
    409,
    false,
    "A batch of a checkpoint was staged with a schema whose rows the table's present schema cannot take.",
    'Undo the change of the fields that the message names, or open the sink anew and read on from its committed positions.',
  ),
  SINK_TABLE_LOST: entry(
    4,
    409,
    false,
    'A sink has files for a dead-letter table that is gone, or that another table has taken the name of.',
    'Register the table again from its metadata file, or open the sink with `abandonLost` (`--abandon-lost`): these dead letters are lost then.',
  ),
  SINK_SOURCE_CHANGED: entry(
    4,
    409,
    false,
    'A source no longer goes on where a sink has committed: it was truncated, made anew, or its records were deleted unread.',
    'Compare the two positions that the message names. A sink of another name reads the source from its beginning.',
  ),
  KAFKA_UNAVAILABLE: entry(8, 503, true, 'Kafka does not answer.', 'Check the brokers that were given and try again.'),
} as const satisfies Record<string, ErrorEntry>;
