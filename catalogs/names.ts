/** Names that every catalog can take. */
import { MoraineError } from '../errors/index.js';
import type { StoreNames } from './catalog-store.js';

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

/**
 * Names where a namespace has one level, and letters are written in lower case.
 * @param catalog what it is, for messages
 */
export function lowerCaseNames(catalog: string): StoreNames {
  const check = (what: string, name: string): void => {
    checkName(what, name);
    const wrong = (reason: string): MoraineError =>
      new MoraineError('INVALID_ARGUMENT', `${what} ${JSON.stringify(name)} cannot be: ${reason}.`);
    if (name !== name.toLowerCase()) throw wrong(`${catalog} would write it in lower case`);
    if (/\p{Cc}/u.test(name)) throw wrong(`${catalog} has no control characters in names`);
  };
  return {
    namespaceKey: (levels) => {
      const [level = '', ...more] = levels;
      if (more.length > 0) {
        const message = `Namespace ${levels.join('.')} has ${levels.length} levels: ${catalog} has one.`;
        throw new MoraineError('INVALID_ARGUMENT', message);
      }
      checkNamespace(levels);
      check('Namespace', level);
      return level;
    },
    levels: (namespaceKey) => [namespaceKey],
    checkTable: (name) => check('Table name', name),
  };
}
