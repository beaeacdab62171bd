/** Problems of definitions, collected so that all are reported at once. */
import { MoraineError } from '../../errors/index.js';

/** One mistake: where it is, and what to do about it. */
export interface Problem {
  /** Path in the definitions, like `featureViews.airport_delay.source.table`. */
  readonly path: string;
  readonly message: string;
  /** Line of the file, counted from 1. */
  readonly line?: number;
}

/** One line of text for a problem. */
export function formatProblem(problem: Problem): string {
  return `${problem.path}${problem.line === undefined ? '' : ` (line ${problem.line})`}: ${problem.message}`;
}

/** @throws DEFINITION_INVALID that lists every problem, in its message and as `details.problems` */
export function throwProblems(problems: readonly Problem[]): never {
  const lines = problems.map(formatProblem);
  const count = lines.length === 1 ? 'One problem' : `${lines.length} problems`;
  throw new MoraineError(
    'DEFINITION_INVALID',
    `${count} in the definitions:\n${lines.map((line) => `  - ${line}`).join('\n')}`,
    {
      details: { problems: lines },
    },
  );
}
