/** Every access to storage or catalog passes a gate, which decides when, whether and how often it takes place. */

export interface Access {
  /** The file's location, or the statement on the catalog. */
  readonly target: string;
  readonly operation: 'stat' | 'read' | 'create' | 'delete' | 'list' | 'ask' | 'change';
}

/** Runs `apply` at some moment, and gives its result. */
export type Gate = <T>(access: Access, apply: () => T | Promise<T>) => Promise<T>;

/** The gate of calm conditions: at once, once. */
export const OPEN_GATE: Gate = (_access, apply) => Promise.resolve().then(apply);

/** Whether an access changes anything. */
export const isWrite = ({ operation }: Access): boolean =>
  operation === 'create' || operation === 'delete' || operation === 'change';
