/** Names that every catalog can take. */
import { MoraineError } from '../errors/index.js';
import type { StoreNames } from './catalog-store.js';

const LONGEST_NAME = 255;

/**
 * Checks one level of a namespace, or the name of a table.
 * @param what `Namespace` or `Table name`, for the message
 * @param longest in characters; 255 unless given
 * @throws MoraineError `INVALID_ARGUMENT`
 */
export function checkName(what: string, name: string, longest = LONGEST_NAME): void {
  if (name !== '' && name.length <= longest && !name.includes('\0')) return;
  const message = `${what} ${JSON.stringify(name.slice(0, 300))} must have 1 to ${longest} characters and no NUL.`;
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
export function lowerCaseNames(catalog: string, longest = LONGEST_NAME): StoreNames {
  const check = (what: string, name: string): void => {
    checkName(what, name, longest);
    const wrong = (reason: string): MoraineError =>
      new MoraineError('INVALID_ARGUMENT', `${what} ${JSON.stringify(name)} cannot be: ${reason}.`);
    if (name !== name.toLowerCase()) throw wrong(`${catalog} would write it in lower case`);
    if (name !== name.trim()) throw wrong(`${catalog} would cut the space off its ends`);
    if (/^\.+$/.test(name)) throw wrong(`${catalog} has no names of dots alone`);
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
