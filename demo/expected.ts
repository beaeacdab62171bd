/**
 * The expected answers of the demo, computed by plain SQL over the raw file with a DuckDB of its own: it shares
 * no code, no table and no connection with what it checks.
 */
import { DuckDBInstance } from '@duckdb/node-api';

/** One hour of one airport, known at the hour's end. */
export const HOURLY_SQL = (flights: string): string => `
  SELECT origin,
         date_trunc('hour', date) + INTERVAL 1 HOUR AS event_ts,
         date_trunc('hour', date) + INTERVAL 65 MINUTE AS created,
         count(*)::INTEGER AS flights,
         avg(delay)::DOUBLE AS mean_delay,
         avg(CASE WHEN delay > 15 THEN 1.0 ELSE 0.0 END)::DOUBLE AS share_delayed,
         max(delay)::BIGINT AS longest_delay
  FROM ${flights} GROUP BY ALL`;

/** A day behind the data, on which the flights of its last whole day are flown again. */
const NEXT_DAY = `TIMESTAMP '2001-07-02'`;
/** The last second before it. */
export const BEFORE_STREAM = '2001-07-01 23:59:59';
/** Nothing is later. */
export const END_OF_TIME = '9999-12-31';
const LAST_DAY = `TIMESTAMP '2001-06-30'`;

/** Sums over the flights of {@link NEXT_DAY}, by airport. */
export const streamedSql = (flights: string): string => `
  SELECT origin, count(*) AS flights, sum(delay) AS delay, sum(distance) AS distance, min(date)::TIMESTAMP AS first_flight
  FROM ${flights} WHERE date >= ${NEXT_DAY} GROUP BY origin ORDER BY origin`;

/** A file's rows: nothing is guessed from folders `COLUMN=VALUE`, and glob characters in the path are themselves. */
const parquet = (path: string): string =>
  `read_parquet('${path.replaceAll(/[*?[]/g, '[$&]').replaceAll("'", "''")}', hive_partitioning = false)`;

/** Writes a part of a file's rows, spread evenly over it, as another file: the same rows each time. */
export async function writeSample(path: string, scale: number, samplePath: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  try {
    await connection.run(`COPY (
      SELECT * EXCLUDE (place) FROM (SELECT *, row_number() OVER () AS place FROM ${parquet(path)})
      WHERE floor(place * ${scale}::DOUBLE) > floor((place - 1) * ${scale}::DOUBLE)
    ) TO '${samplePath.replaceAll("'", "''")}' (FORMAT parquet)`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** One row of an answer, as text: exact to the last digit of a double. */
export type ExpectedRow = readonly (string | null)[];

/** Plain SQL over the raw flights. */
export class Expected {
  readonly #instance: DuckDBInstance;
  readonly #flights: string;
  readonly flightsPath: string;

  private constructor(instance: DuckDBInstance, flightsPath: string) {
    this.#instance = instance;
    this.#flights = parquet(flightsPath);
    this.flightsPath = flightsPath;
  }

  static async open(flightsPath: string): Promise<Expected> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
    return new Expected(instance, flightsPath);
  }

  async rows(sql: string): Promise<readonly ExpectedRow[]> {
    const connection = await this.#instance.connect();
    try {
      await connection.run(`SET TimeZone = 'UTC'`);
      const reader = await connection.runAndReadAll(`SELECT COLUMNS(*)::VARCHAR FROM (${sql})`);
      return reader.getRowsJson() as ExpectedRow[];
    } finally {
      connection.closeSync();
    }
  }

  async flightCount(): Promise<number> {
    const [row] = await this.rows(`SELECT count(*) FROM ${this.#flights}`);
    return Number(row?.[0]);
  }

  /** Writes the flights of the next day as JSON Lines. */
  async writeNextDay(path: string): Promise<void> {
    const connection = await this.#instance.connect();
    try {
      const columns = `* REPLACE (strftime(date, '%Y-%m-%dT%H:%M:%S') AS date)`;
      await connection.run(
        `COPY (SELECT ${columns} FROM (${this.#nextDay()}) ORDER BY ALL) TO '${path.replaceAll("'", "''")}' (FORMAT json)`,
      );
    } finally {
      connection.closeSync();
    }
  }

  /** For each airport that has flights on the next day: their sums. */
  async nextDaySums(): Promise<readonly ExpectedRow[]> {
    return this.rows(streamedSql(`(${this.#nextDay()})`));
  }

  /** For each airport: the last flight at or before `until`, those of the next day among them; of several at a time the one with the larger values. */
  async lastFlights(until: string): Promise<readonly ExpectedRow[]> {
    return this.rows(`
      SELECT origin, date::TIMESTAMP, delay, distance
      FROM (SELECT *, row_number() OVER (PARTITION BY origin ORDER BY date DESC, delay DESC, distance DESC) AS place
            FROM (SELECT * FROM ${this.#flights} UNION ALL ${this.#nextDay()}) WHERE date <= TIMESTAMP '${until}')
      WHERE place = 1 ORDER BY origin`);
  }

  #nextDay(): string {
    const lastDay = `date >= ${LAST_DAY} AND date < ${LAST_DAY} + INTERVAL 1 DAY`;
    return `SELECT * REPLACE (date + (${NEXT_DAY} - ${LAST_DAY}) AS date) FROM ${this.#flights} WHERE ${lastDay}`;
  }

  /** For each airport: the newest hour at or before `at`, without the rows that `lateSql` selects. */
  async newestHours(at: string, lateSql: string): Promise<readonly ExpectedRow[]> {
    return this.rows(`
      SELECT origin, event_ts, flights, mean_delay, share_delayed, longest_delay
      FROM (SELECT *, row_number() OVER (PARTITION BY origin ORDER BY event_ts DESC) AS place
            FROM (${HOURLY_SQL(this.#flights)}) WHERE event_ts <= TIMESTAMP '${at}' AND NOT (${lateSql}))
      WHERE place = 1 ORDER BY origin`);
  }

  /** For each row of the entity frame (a Parquet file with `row_id`, `origin`, `event_timestamp`): its features. */
  async trainingRows(framePath: string, ttl: string, lateSql: string): Promise<readonly ExpectedRow[]> {
    return this.rows(`
      WITH hourly AS (SELECT * FROM (${HOURLY_SQL(this.#flights)}) WHERE NOT (${lateSql}))
      SELECT frame.row_id, mean_delay, share_delayed, longest_delay, flights
      FROM ${parquet(framePath)} frame
      LEFT JOIN LATERAL (
        SELECT * FROM hourly
        WHERE hourly.origin = frame.origin
          AND hourly.event_ts <= frame.event_timestamp
          AND hourly.event_ts >= frame.event_timestamp - INTERVAL '${ttl}'
        ORDER BY hourly.event_ts DESC LIMIT 1) ON true
      ORDER BY frame.row_id`);
  }

  close(): void {
    this.#instance.closeSync();
  }
}
