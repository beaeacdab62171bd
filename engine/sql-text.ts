/** Quoting: the only ways in which names and values enter SQL text. */

/** A name as an SQL identifier: quoted, so that case, dots, quotes and keywords in it are inert. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL string literal. DuckDB knows no backslash escapes in plain literals. */
export function quoteLiteral(text: string): string {
  // A NUL would end the statement's C string, so it is spelled out.
  if (!text.includes('\0')) return `'${text.replaceAll("'", "''")}'`;
  return `(${text
    .split('\0')
    .map((part) => `'${part.replaceAll("'", "''")}'`)
    .join(' || chr(0) || ')})`;
}

/**
 * A path as a literal for a table function that expands `*`, `?`, `[` and `{`: each becomes a one-character class.
 * Only for readers: writers take paths as they are (use {@link quoteLiteral}).
 */
export function quotePath(path: string): string {
  return quoteLiteral(escapeGlob(path));
}

/** A path as a glob that only it matches. */
export function escapeGlob(path: string): string {
  return path.replaceAll(/[*?[]/g, (character) => `[${character}]`);
}

/** A list of paths for `read_parquet`. */
export function quotePaths(paths: readonly string[]): string {
  return `[${paths.map(quotePath).join(', ')}]`;
}
