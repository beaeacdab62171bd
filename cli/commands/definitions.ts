import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';

/** `init` and `apply`. */
export function declareDefinitionCommands(program: Command, runner: ActionRunner): void {
  const init = program
    .command('init')
    .summary('Make a project.')
    .description('Make a project: a configuration, example definitions and example data. Nothing is overwritten.')
    .argument('<dir>', 'the folder, created if it does not exist');
  withExamples(init, 'init shop && cd shop');
  does(init, runner, async () => (await import('../actions/init.js')).init);

  const apply = program
    .command('apply')
    .summary('Register definitions.')
    .description(
      'Register definitions: print what will change, then change it. Definitions that are not in the files are left alone.',
    )
    .argument('[file...]', 'YAML, JSON, JavaScript or TypeScript files (default: `definitions` of the configuration)')
    .option('--dry-run', 'stop after printing what would change')
    .option('--prune', 'also remove registered definitions that are not in the files')
    .addOption(
      new Option(
        '--materialize',
        'then materialize the views that were redefined since their last run, as `moraine materialize` does',
      ).conflicts('dryRun'),
    )
    .option('--no-schedules', 'leave the schedules on the Temporal server as they are')
    .option('--json', 'print the plan as JSON');
  withExamples(apply, 'apply', 'apply features.yaml --dry-run', 'apply features.ts --prune', 'apply --materialize');
  does(apply, runner, async () => (await import('../actions/apply.js')).apply);
}
