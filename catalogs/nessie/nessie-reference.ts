/**
 * What a Nessie catalog reads: a branch, a tag, or the state at one commit.
 * Source: Nessie documentation, "Iceberg REST", the prefix pattern `{ref}|{warehouse}`, and "Nessie references" for `name@hash`.
 */

/** A reference, as the prefix of a REST catalog names it. */
export interface NessieReference {
  /** Of a branch or a tag; empty for a commit of none. */
  readonly name: string;
  /** What follows the name and fixes a commit: `@hash`, `*time` or `~number`; empty for the newest. */
  readonly point: string;
  readonly warehouse: string | undefined;
}

/** @param prefix as the server gives it, encoded */
export function parseReference(prefix: string): NessieReference {
  const [reference = '', warehouse] = decodeURIComponent(prefix).split('|', 2);
  const end = reference.search(/[@*~^]/);
  return {
    name: end < 0 ? reference : reference.slice(0, end),
    point: end < 0 ? '' : reference.slice(end),
    warehouse,
  };
}

/** The prefix of a reference, encoded. */
export function prefixOf({ name, point, warehouse }: NessieReference): string {
  return encodeURIComponent(`${name}${point}${warehouse === undefined ? '' : `|${warehouse}`}`);
}
