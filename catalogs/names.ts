/** Names that every catalog can take. */
import { MoraineError } from '../errors/index.js';

const LONGEST_NAME = 255;

/**
 * Checks one level of a namespace, or the name of a table.
 * @param what `Namespace` or `Table name`, for the message
 * @throws MoraineError `INVALID_ARGUMENT`
 */
export function checkName(what: string, name: string): void {
  if (name !== '' && name.length <= LONGEST_NAME && !name.includes('\0')) return;
  const message = `${what} ${JSON.stringify(name.slice(0, 300))} must have 1 to ${LONGEST_NAME} characters and no NUL.`;
  throw new MoraineError('INVALID_ARGUMENT', message);
}

/** Checks a namespace. @throws MoraineError `INVALID_ARGUMENT` */
export function checkNamespace(namespace: readonly string[]): void {
  if (namespace.length === 0) throw new MoraineError('INVALID_ARGUMENT', 'A namespace needs at least one level.');
  for (const level of namespace) checkName('Namespace', level);
}
