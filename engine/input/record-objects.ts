/** The objects that the paths of columns lead through: what of a record no column takes is beside these paths. Pure. */

/** An object of a record, or the record itself. */
export interface RecordObject {
  /** Keys to it, from the record inwards. */
  readonly path: readonly string[];
  /** Its keys that columns are at, or behind. */
  readonly keys: readonly string[];
  /** The index of the first column that lies in it; -1 of a record without columns. */
  readonly column: number;
  /** Whether a column has the whole of it. */
  readonly isTaken: boolean;
}

/**
 * The record, first, and the objects in it that lead to columns, each behind that which has it.
 * @param columns as `RecordColumn` has them
 */
export function recordObjects(
  columns: readonly { readonly path: readonly string[] | null }[],
): readonly RecordObject[] {
  const found = new Map([[textOf([]), { path: [] as readonly string[], keys: new Set<string>(), column: -1 }]]);
  const taken = new Set(columns.flatMap(({ path }) => (path === null ? [] : [textOf(path)])));
  for (const [column, { path }] of columns.entries()) {
    for (const [depth, key] of (path ?? []).entries()) {
      const outer = path?.slice(0, depth) ?? [];
      const object = found.get(textOf(outer)) ?? { path: outer, keys: new Set<string>(), column };
      found.set(textOf(outer), object);
      object.keys.add(key);
    }
  }
  return [...found.values()].map(({ path, keys, column }) => {
    const isTaken = path.some((_, depth) => taken.has(textOf(path.slice(0, depth + 1))));
    return { path, keys: [...keys], column, isTaken };
  });
}

const textOf = (path: readonly string[]): string => JSON.stringify(path);
