/** Columns that every online table has. */

/** Columns of every online table besides join keys and features. */
export const ONLINE_COLUMNS = {
  eventTimestamp: 'event_timestamp',
  createdTimestamp: 'created_timestamp',
  /** Whether the row was pushed by a client rather than read from the source. */
  pushed: '_pushed',
  /** See `entity-key.ts`; only in tables whose rows one key column does not identify in every engine alike. */
  entityKey: '_entity_key',
} as const;

/** Most buckets that a view may ask for. */
export const MAX_BUCKETS = 65_536;
