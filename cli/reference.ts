/** The pages `docs/cli.md` and `docs/errors.md`, from the commands and the error table themselves. */
import type { Command } from 'commander';
import { ERROR_TABLE } from '../errors/index.js';
import { buildProgram } from './program.js';

const GENERATED = '<!-- Written by scripts/write-reference.mjs; do not edit. -->';

/** Markdown for every command. */
export function cliReference(): string {
  const program = buildProgram(async () => undefined);
  const parts = [
    '# The command line',
    GENERATED,
    'What a command prints on success goes to standard output, everything else to standard error. Exit codes are in ' +
      '[errors.md](errors.md). No command asks questions.',
    ...leaves(program, []).map(([path, command]) => `## moraine ${path.join(' ')}\n\n${fenced(helpOf(command))}`),
    `## All commands\n\n${fenced(helpOf(program))}`,
  ];
  return `${parts.join('\n\n')}\n`;
}

/** The commands that do something, with the words that call them. */
function leaves(command: Command, path: readonly string[]): readonly (readonly [readonly string[], Command])[] {
  return command.commands.flatMap((child) => {
    const childPath = [...path, child.name()];
    const own = child.commands.length === 0 || child.registeredArguments.length + child.options.length > 0;
    return [...(own ? [[childPath, child] as const] : []), ...leaves(child, childPath)];
  });
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text.trimEnd();
}

function fenced(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\``;
}

/** Markdown for every error code. */
export function errorReference(): string {
  const rows = Object.entries(ERROR_TABLE).map(([code, entry]) => {
    const retry = entry.retryable ? 'yes' : 'no';
    return `| \`${code}\` | ${entry.exitCode} | ${entry.httpStatus} | ${retry} | ${cell(entry.meaning)} | ${cell(entry.remedy)} |`;
  });
  const parts = [
    '# Errors',
    GENERATED,
    'Every error has a code, a sentence that says what was wrong and where, and a remedy. *Retried* says whether the same ' +
      'call may succeed later with nothing changed: workflows retry those errors and no others.',
    'Exit codes by group: 2 usage, 3 not found, 4 exists or conflicts, 5 refused, 6 unsupported, 7 damaged data, ' +
      '8 environment, 9 unknown outcome, 10 a self-check failed, 11 a run failed, 12 a history does not replay, 70 a bug. ' +
      'A second Ctrl-C ends a command at once with 130.',
    ['| code | exit code | HTTP status | retried | meaning | remedy |', '|---|---|---|---|---|---|', ...rows].join(
      '\n',
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
