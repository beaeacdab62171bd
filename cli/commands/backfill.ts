import type { Command } from 'commander';
import { type ActionRunner, declareControl, does, withExamples } from '../define.js';
import { addAsOfOptions, engineOption, wholeNumber } from './options.js';

/** `backfill` and what is said to one in flight. */
export function declareBackfillCommands(program: Command, runner: ActionRunner): void {
  const backfill = program
    .command('backfill')
    .summary('Materialize a range of event times in windows, or retrieve a training set so.')
    .description(
      'Materialize a range of event times of a feature view in windows: a few at a time, committed in groups. ' +
        'With --training-set the features of the entity rows of that range are retrieved instead, and saved as a dataset. ' +
        'Without a Temporal server of yours, one runs here until it is done.',
    )
    .argument('[view]', 'the feature view')
    .option('--start <time>', 'first event time of the range')
    .option('--end <time>', 'event time that the range ends before')
    .option('--step <duration>', 'length of a window, such as 1h or 1d; it divides the range')
    .option('--newest-first', 'begin with the newest window')
    .option('--training-set <name>', 'the dataset to make, instead of a view')
    .option('--features <list>', "the training set's: view:feature,.. or the name of a feature service")
    .option('--entities-table <table>', 'the Iceberg table with its entity rows: join keys and an event_timestamp')
    .option('--save-as <table>', 'the new table of the training set')
    .option('--full-names', 'name the columns view__feature')
    .option('--known-as-of', 'leave out rows that were created after the time of the entity row')
    .option('--pin', 'tag the snapshots that are read, so that maintenance keeps them');
  addAsOfOptions(backfill)
    .option('--concurrency <windows>', 'windows at a time, 1 to 16 (default: 2)', wholeNumber(1, 16))
    .option(
      '--windows-per-commit <windows>',
      'commit so many windows together (default: what is read in 30 s)',
      wholeNumber(1, 250),
    )
    .addOption(engineOption())
    .option('--dry-run', 'only show the plan')
    .option('--plan <file>', 'only write the plan to this file, which must not exist')
    .option('--apply <file>', 'run this plan, instead of a view and range; refused if it no longer holds')
    .option('--wait', 'wait until it is done and print its result')
    .option('--json', 'print JSON');
  withExamples(
    backfill,
    'backfill airport_delay --start 2001-01-01 --end 2002-01-01 --step 1d --wait',
    'backfill airport_delay --start 2001-01-01 --end 2002-01-01 --step 1d --plan delays.json',
    'backfill --apply delays.json --concurrency 4',
    'backfill --training-set march --features airport_delay --entities-table demo.labels --save-as demo.march --start 2001-03-01 --end 2001-04-01 --step 1d',
    'backfill pause backfill/airport_delay/2001-01-01T00:00:00.000Z..2002-01-01T00:00:00.000Z/1d',
  );
  does(backfill, runner, async () => (await import('../actions/backfill.js')).backfill);

  control(backfill, runner, 'pause', 'Begin no further window of a backfill in flight.');
  control(backfill, runner, 'resume', 'Go on with a paused backfill.');
  control(backfill, runner, 'cancel', 'End a backfill. Windows that were read are committed, others are left undone.');
  control(
    backfill,
    runner,
    'retry',
    'Try the windows of a backfill again that have failed; after a hundred failures also those that were not begun.',
  );
  const concurrency = backfill
    .command('concurrency')
    .description('Change how many windows a backfill in flight works on at a time.')
    .argument('<id>', 'its workflow id')
    .argument('<windows>', '1 to 16', (text) => String(wholeNumber(1, 16)(text)));
  does(concurrency, runner, async () => (await import('../actions/backfill-control.js')).backfillConcurrency);
}

function control(
  backfill: Command,
  runner: ActionRunner,
  name: 'pause' | 'resume' | 'cancel' | 'retry',
  description: string,
): void {
  declareControl(
    backfill,
    runner,
    { name, description },
    async () => (await import('../actions/backfill-control.js')).backfillControls[name],
  );
}
