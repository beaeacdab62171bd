/** Problems of a configuration, with names, lines and the nearest known key. */
import type { z } from 'zod';
import { nearestNames } from '../errors/index.js';
import { knownKeysAt } from './config-schema.js';
import { reasonAgainst } from './storage-options.js';
import type { SourceProblem } from './yaml-source.js';

type Issue = z.core.$ZodIssue;

/** The problems behind one complaint of the schema. */
export function problemsOf(
  issue: Issue,
  lineAt: (path: readonly PropertyKey[], key?: string) => number,
): SourceProblem[] {
  const where = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeysAt(issue.path);
    return issue.keys.map((key) => {
      const name = where === '' ? key : `${where}.${key}`;
      const [near] = nearestNames(key, known, 1);
      const guess = near === undefined ? `known keys here: ${known.join(', ')}` : `did you mean ${near}?`;
      const advice = reasonAgainst(key) ?? guess;
      return { line: lineAt(issue.path, key), message: `unknown key ${name}; ${advice}` };
    });
  }
  if (issue.code === 'invalid_key') {
    const reason = issue.issues.map((inner) => inner.message).join(', ');
    return [{ line: lineAt(issue.path), message: `${where}: ${reason}` }];
  }
  const reason = issue.path.at(-2) === 'options' ? reasonAgainst(String(issue.path.at(-1))) : undefined;
  if (reason !== undefined) return [{ line: lineAt(issue.path), message: `${where}: is not an option; ${reason}` }];
  const message = issue.message.replace(/^Invalid input: /, '').replace(/^Too (small|big): /, '');
  return [{ line: lineAt(issue.path), message: where === '' ? `the file: ${message}` : `${where}: ${message}` }];
}
