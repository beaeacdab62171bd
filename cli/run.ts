import type { Command } from 'commander';
import { CommanderError } from 'commander';
import { ERROR_TABLE, MoraineError, trafficText } from '../errors/index.js';
import type { StorageTraffic } from '../runs/index.js';
import type { CommandContext, GlobalOptions } from './context.js';
import { OutputClosedError, printable, streamOutput } from './output/output.js';
import { createProgress } from './output/progress.js';
import { asMoraineError, exitCodeOf, renderError } from './output/render-error.js';
import { styled } from './output/style.js';
import { buildProgram } from './program.js';

/** The exit code of a process that a second Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;
/** Time for abandoned work, such as a download, to end after its command has ended. */
const LEFTOVERS_MS = 2_000;

/**
 * Runs the command line.
 *
 * @param args the arguments after `moraine`
 * @returns the exit code, from the error table
 */
export async function runCli(args: readonly string[]): Promise<number> {
  const stdout = streamOutput(process.stdout);
  // A closed standard error must not end the work.
  process.stderr.on('error', () => undefined);
  const progress = createProgress(process.stderr);
  const cancellation = cancelOnSignals();
  let shown: { readonly verbose: boolean; readonly json: boolean } = { verbose: false, json: false };
  let helpText = '';
  const program = buildProgram(async (command, operands, action) => {
    const globals = command.optsWithGlobals<GlobalOptions & { readonly json?: boolean }>();
    shown = { verbose: globals.verbose === true, json: globals.json === true };
    let traffic: StorageTraffic | null = null;
    const context: CommandContext = {
      globals,
      signal: cancellation.signal,
      stdout,
      note: (text) => {
        progress.clear();
        process.stderr.write(`${text.replace(/^warning:/, (word) => styled(process.stderr, 'yellow', word))}\n`);
      },
      progress,
      storageTraffic: () => (traffic === null || traffic.requests === 0 ? null : traffic),
    };
    const act = async () => {
      await action(context, operands, command.opts<never>());
    };
    if (!shown.json && !shown.verbose) {
      await act();
      return;
    }
    const { measureTraffic, noTraffic } = await import('../storage/index.js');
    traffic = noTraffic();
    try {
      await measureTraffic(traffic, act);
    } finally {
      if (shown.verbose && traffic.requests > 0) context.note(`storage: ${trafficText(traffic)}`);
    }
  });
  configureOutput(program, (text) => {
    helpText += text;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    progress.clear();
    if (error instanceof OutputClosedError) return 0;
    if (error instanceof CommanderError)
      return await usage(await plainestMistake(error, args), helpText, commandPath(program, args), stdout);
    const known = cancellation.signal.aborted ? cancelled(error) : asMoraineError(error);
    process.stderr.write(renderError(known, shown));
    return exitCodeOf(known);
  } finally {
    cancellation.stop();
    if (cancellation.signal.aborted) setTimeout(() => process.exit(), LEFTOVERS_MS).unref();
  }
}

/** Commander's own messages are collected: they are shown as one sentence, and its help on standard output. */
function configureOutput(program: Command, collect: (text: string) => void): void {
  const configure = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: collect, writeOut: collect });
    command.commands.forEach(configure);
  };
  configure(program);
}

/** The words of the command that the arguments name, such as `moraine table scan`. */
function commandPath(program: Command, args: readonly string[]): string {
  let command = program;
  const words = [program.name()];
  for (const arg of args) {
    const next = command.commands.find((child) => child.name() === arg);
    if (next === undefined) continue;
    command = next;
    words.push(arg);
  }
  return words.join(' ');
}

/** Commander looks for options that are required before it looks at those that are given: a misspelt one is both. */
async function plainestMistake(found: CommanderError, args: readonly string[]): Promise<CommanderError> {
  if (found.code !== 'commander.missingMandatoryOptionValue') return found;
  const program = buildProgram(async () => undefined);
  configureOutput(program, () => undefined);
  const requireNothing = (command: Command): void => {
    for (const option of command.options) option.mandatory = false;
    command.commands.forEach(requireNothing);
  };
  requireNothing(program);
  // Nothing is done, and no command is loaded.
  program.hook('preAction', () => {
    throw found;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (other) {
    if (other instanceof CommanderError) return other;
  }
  return found;
}

async function usage(
  error: CommanderError,
  helpText: string,
  command: string,
  stdout: CommandContext['stdout'],
): Promise<number> {
  if (error.code === 'commander.help' || error.exitCode === 0) {
    await stdout.write(helpText).catch(() => undefined);
    return 0;
  }
  const sentence = error.message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\)$/, '; did you mean $1')
    .replaceAll('\n', ' ');
  process.stderr.write(
    `${styled(process.stderr, ['bold', 'red'], 'error:')} ${printable(sentence)} [INVALID_ARGUMENT]\n  See \`${command} --help\`.\n`,
  );
  return ERROR_TABLE.INVALID_ARGUMENT.exitCode;
}

/** After Ctrl-C whatever failed, failed because of it, unless it says otherwise. */
function cancelled(error: unknown): MoraineError {
  const known = asMoraineError(error);
  return known.code === 'INTERNAL' ? new MoraineError('CANCELLED', 'cancelled', { cause: error }) : known;
}

/** The first SIGINT, SIGTERM or SIGHUP cancels the work; the second ends the process. */
function cancelOnSignals(): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort(new MoraineError('CANCELLED', 'cancelled by a signal'));
  };
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
