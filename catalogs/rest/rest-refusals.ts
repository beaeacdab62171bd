/** What the failures of a REST catalog mean, as codes of the error table. */
import { MoraineError } from '../../errors/index.js';
import type { RestFailure } from './rest-failure.js';

/** A request that was not carried out, for a reason that is not about what it asks for. @param address of the catalog */
export function unavailable(address: string, failure: RestFailure): MoraineError {
  return new MoraineError(
    'CATALOG_UNAVAILABLE',
    `The REST catalog ${address}: ${failure.message}. ${advice(failure)}`,
    {
      cause: failure,
    },
  );
}

/** What to do about a request that was not carried out. */
function advice({ status, model, remedy }: RestFailure): string {
  if (remedy !== undefined) return remedy;
  if (status === undefined) return 'Check uri and the network.';
  if (status === 401 || status === 419) return 'Check token or credential.';
  if (status === 403) return 'Give the credentials the right to do this, or set another scope.';
  if (status === 429 || status >= 500) return 'Try again later.';
  return model === undefined
    ? 'Check that uri is the address of a REST catalog.'
    : 'Check the configuration of the catalog.';
}

/** Codes for the exceptions of Java's library, which servers name in their errors. */
export const MISSING = new Map([
  ['NoSuchNamespaceException', 'NAMESPACE_NOT_FOUND'],
  ['NoSuchTableException', 'TABLE_NOT_FOUND'],
  ['NotFoundException', 'FILE_NOT_FOUND'],
] as const);
type Missing = typeof MISSING extends Map<string, infer Code> ? Code : never;

/** How the refusals of one request are to be understood. */
export interface Refusals {
  /** What is missing after a 404 that does not say so. */
  readonly missing: Missing;
  /** What exists, or is in use, after a 409. */
  readonly conflict?: 'NAMESPACE_ALREADY_EXISTS' | 'NAMESPACE_NOT_EMPTY' | 'TABLE_ALREADY_EXISTS';
  /** The request reads a file before it changes anything: that the file is missing, which Java's server says with 500, is certain. */
  readonly readsFile?: boolean;
}

/** Without an error of the specification an answer may be from something before the catalog, and says nothing of it. */
export function codeOf({ status, model }: RestFailure, missing: Missing, conflict: Refusals['conflict']) {
  if (model === undefined) return undefined;
  if (status === 404) return missing;
  if (status === 409) return conflict;
  if (status !== 400 && status !== 422) return undefined;
  // Java's server says this with 400.
  return model.type === 'NamespaceNotEmptyException' ? 'NAMESPACE_NOT_EMPTY' : 'INVALID_ARGUMENT';
}
