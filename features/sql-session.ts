/** What this room needs of an engine connection; the engine's connections satisfy it. */
export interface SqlSession {
  run(sql: string): Promise<unknown>;
  runAndReadAll(sql: string): Promise<SqlResult>;
}

/** A result that was read whole. */
export interface SqlResult {
  getRows(): readonly (readonly unknown[])[];
}

/** The only value of a one-row, one-column statement. */
export async function readScalar(session: SqlSession, sql: string): Promise<unknown> {
  const result = await session.runAndReadAll(sql);
  return result.getRows()[0]?.[0] ?? null;
}
