import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { wholeNumber } from './options.js';

/** `runs` and `run show`. */
export function declareRunCommands(program: Command, runner: ActionRunner): void {
  const runs = program
    .command('runs')
    .summary('List the runs of this project.')
    .description('List the runs of this project on its Temporal server, newest first.')
    .option('--view <name>', 'only runs of this feature view')
    .option('--table <name>', 'only runs that write or work on this table')
    .addOption(
      new Option('--status <status>', 'only runs in this status').choices([
        'running',
        'completed',
        'failed',
        'canceled',
        'terminated',
        'timed-out',
        'continued-as-new',
      ]),
    )
    .option('--limit <count>', 'at most so many', wholeNumber(1), 20)
    .option('--json', 'print JSON Lines');
  withExamples(runs, 'runs', 'runs --view airport_delay --status failed');
  does(runs, runner, async () => (await import('../actions/runs.js')).runs);

  const run = program.command('run').description('Look at one run.').helpCommand(false);
  const show = run
    .command('show')
    .description('The steps of a run, how far it is, what is tried again and why, and what it has committed.')
    .argument('<workflow-id>', 'the id, as `moraine runs` shows it')
    .option('--run-id <id>', 'a run of it (default: the latest)')
    .option('--watch', 'show it until it has ended; then end as the run did')
    .option('--json', 'print JSON; with --watch a line for each change');
  withExamples(
    show,
    'run show materialize/airport_delay/incremental',
    'run show materialize/airport_delay/incremental --watch',
  );
  does(show, runner, async () => (await import('../actions/run-show.js')).runShow);
}
