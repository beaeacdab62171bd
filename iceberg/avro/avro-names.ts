/** Avro names for Iceberg names. Avro allows letters, digits and underscores; Iceberg anything. */

/**
 * The name that Java's writer gives: an underscore before a leading digit, `_x2E` for a dot (upper-case hexadecimal UTF-16 unit).
 * Readers find fields by id; the name only has to be legal.
 */
export function sanitizeAvroName(name: string): string {
  let result = '';
  for (let index = 0; index < name.length; index++) {
    const char = name.charAt(index);
    if (/[A-Za-z_]/.test(char)) result += char;
    else if (/[0-9]/.test(char)) result += index === 0 ? `_${char}` : char;
    else result += `_x${name.charCodeAt(index).toString(16).toUpperCase()}`;
  }
  return result === '' ? '_' : result;
}

/** Legal names, in order; one that would repeat an earlier one gets its field id appended. */
export function uniqueAvroNames(fields: readonly { readonly name: string; readonly id: number }[]): readonly string[] {
  const used = new Set<string>();
  return fields.map(({ name, id }) => {
    let unique = sanitizeAvroName(name);
    while (used.has(unique)) unique += `_${String(id)}`;
    used.add(unique);
    return unique;
  });
}
