/** Quoting: the only ways in which names and values enter SQL text. */

/** A name as an SQL identifier: quoted, so that case, dots, quotes and keywords in it are inert. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The internal name of a column: DuckDB's identifiers ignore case, so the schema's own names may collide. */
export const columnAlias = (id: number): string => `c${id}`;

/** A text as an SQL string literal. DuckDB knows no backslash escapes in plain literals. */
export function quoteLiteral(text: string): string {
  // A NUL would end the statement's C string, so it is spelled out.
  if (!text.includes('\0')) return `'${text.replaceAll("'", "''")}'`;
  return `(${text
    .split('\0')
    .map((part) => `'${part.replaceAll("'", "''")}'`)
    .join(' || chr(0) || ')})`;
}
