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
} as const satisfies Record<string, ErrorEntry>;
