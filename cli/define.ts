/** Helpers with which the commands are declared: light, so that `moraine --help` loads nothing else. */
import type { Command } from 'commander';
import type { CommandContext } from './context.js';

/** The action of a command. Operands come flat and in order; options under their camelCase names. */
export type CommandAction<Options> = (
  context: CommandContext,
  operands: readonly string[],
  options: Options,
) => Promise<void>;

/** Runs an action with the context of this process. */
export type ActionRunner = (
  command: Command,
  operands: readonly string[],
  action: CommandAction<never>,
) => Promise<void>;

/** Declares what a command does; the module with the action is loaded only when the command is run. */
export function does<Options>(
  command: Command,
  runner: ActionRunner,
  load: () => Promise<CommandAction<Options>>,
): Command {
  return command.action(async (...received: unknown[]) => {
    const operands = received
      .slice(0, -2)
      .flat()
      .filter((operand) => typeof operand === 'string');
    await runner(command, operands, await load());
  });
}

/** Declares a command that says something to a workflow in flight. */
export function declareControl(
  parent: Command,
  runner: ActionRunner,
  { name, description }: { readonly name: string; readonly description: string },
  load: () => Promise<CommandAction<never>>,
): void {
  does(parent.command(name).description(description).argument('<id>', 'its workflow id'), runner, load);
}

/** Adds examples to the end of a command's help. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ moraine ${line}`).join('\n')}`);
}
