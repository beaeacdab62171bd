/** The part of an engine connection that this room needs: statements, and small results read whole. */
export interface SqlSession {
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<readonly (readonly unknown[])[]>;
}

/** The only value of a one-row, one-column statement. */
export async function readScalar(session: SqlSession, sql: string): Promise<unknown> {
  const rows = await session.rows(sql);
  return rows[0]?.[0] ?? null;
}
