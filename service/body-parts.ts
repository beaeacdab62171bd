/** Parts that bodies of several paths have in common: columns by name, and what is to be read. */
import { MoraineError } from '../errors/index.js';

/**
 * The length that all columns have; undefined if there are none.
 * @param having begins the message: `The body's df has`
 * @throws INVALID_ARGUMENT for columns of different lengths
 */
export function columnLength(
  columns: Iterable<readonly [name: string, column: readonly unknown[]]>,
  having: string,
): number | undefined {
  const [first, ...others] = columns;
  if (first === undefined) return undefined;
  const [name, { length }] = first;
  const other = others.find(([, column]) => column.length !== length);
  if (other === undefined) return length;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `${having} columns of different lengths: '${name}' has ${length} values, '${other[0]}' has ${other[1].length}.`,
  );
}

/** What is to be read, as bodies and queries say it. */
export interface SelectionFields {
  readonly features?: readonly string[] | null;
  readonly feature_service?: string | null;
}

/**
 * The features or the service, of which exactly one has to be named.
 * @param place begins the message: `The body`
 * @throws INVALID_ARGUMENT
 */
export function selectionOf(
  { features, feature_service: service }: SelectionFields,
  place: string,
): { readonly features: readonly string[] } | { readonly service: string } {
  const named = features ?? [];
  const hasService = service !== undefined && service !== null;
  if (named.length > 0 === hasService)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `${place} has ${hasService ? 'both' : 'none'} of 'features' and 'feature_service'; give one.`,
    );
  return hasService ? { service } : { features: named };
}
