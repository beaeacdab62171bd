import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';

/** `schedule create|list|describe|pause|resume|trigger|backfill|delete`. */
export function declareScheduleCommands(program: Command, runner: ActionRunner): void {
  const schedule = program
    .command('schedule')
    .description('Run materializations, compactions and maintenance again and again.')
    .helpCommand(false);
  declareCreate(schedule, runner);
  declareLooks(schedule, runner);
  declareStates(schedule, runner);
  declareBackfill(schedule, runner);
}

function declareCreate(schedule: Command, runner: ActionRunner): void {
  const create = schedule
    .command('create')
    .description(
      'Make a schedule: of a view, or of any workflow by its name and JSON input. Views can also declare theirs, which `moraine apply` makes.',
    )
    .argument('[view]', 'the feature view to materialize')
    .option('--every <duration>', 'time between two runs, such as 15m, 1h or 1d, counted from 1970 in UTC')
    .option('--offset <duration>', 'fire this much later, such as 5m')
    .option('--cron <expression>', 'instead of --every: the times as a cron expression')
    .option('--time-zone <name>', 'time zone of the cron, such as Europe/Berlin (default: UTC)')
    .addOption(
      new Option(
        '--runs <kind>',
        'what a run of the view takes: all that is new, or the interval that ends at its nominal time',
      )
        .choices(['incremental', 'window'])
        .default('incremental'),
    )
    .option('--workflow <name>', 'instead of a view: materialize, compact, maintain or maintainTables')
    .option('--input <json>', 'its input, such as \'{"table": "shop.orders", "strategy": "binpack"}\'')
    .option(
      '--id <id>',
      'the id, to which the project is added (default: the workflow and what it works on, such as materialize/airport_delay)',
    )
    .addOption(
      new Option(
        '--overlap <policy>',
        'a tick during an earlier run (default: buffer-all for windows, else skip)',
      ).choices(['skip', 'buffer-one', 'buffer-all', 'allow-all']),
    )
    .option(
      '--catch-up <duration>',
      'how late a missed tick may still run (default: for windows 7d, or 1000 ticks if that is less; else one tick; with --cron 1d)',
    )
    .option(
      '--jitter <duration>',
      'fire up to this much later, at random (default: a tenth of --every, at most 1m; with --cron 0)',
    )
    .option('--paused', 'make it paused')
    .option('--note <text>', 'a remark')
    .option('--json', 'print the schedule as JSON');
  withExamples(
    create,
    'schedule create airport_delay --every 15m',
    'schedule create airport_delay --every 1d --runs window',
    'schedule create --workflow compact --input \'{"table": "demo.flights", "strategy": "binpack"}\' --cron "0 3 * * *"',
  );
  does(create, runner, async () => (await import('../actions/schedule-create.js')).scheduleCreate);
}

function declareLooks(schedule: Command, runner: ActionRunner): void {
  const list = schedule
    .command('list')
    .description('The schedules of this project.')
    .option('--json', 'print JSON Lines');
  withExamples(list, 'schedule list');
  does(list, runner, async () => (await import('../actions/schedule-show.js')).scheduleList);

  const describe = schedule
    .command('describe')
    .description('What a schedule does, its last and next runs, and what was left out.')
    .argument('<id>', 'the id, as `schedule list` shows it')
    .option('--json', 'print JSON');
  withExamples(describe, 'schedule describe materialize/airport_delay');
  does(describe, runner, async () => (await import('../actions/schedule-show.js')).scheduleDescribe);
}

function declareStates(schedule: Command, runner: ActionRunner): void {
  const change = (name: string, description: string, note: boolean): Command => {
    const command = schedule
      .command(name)
      .description(description)
      .argument('<id>', 'the id, as `schedule list` shows it');
    if (note) command.option('--note <text>', 'why');
    return withExamples(command, `schedule ${name} materialize/airport_delay`);
  };
  const actions = () => import('../actions/schedule-change.js');
  const pause = change('pause', 'Start no runs until it is resumed; the ticks until then are skipped.', true);
  does(pause, runner, async () => (await actions()).schedulePause);
  const resume = change('resume', 'Start runs again.', true);
  does(resume, runner, async () => (await actions()).scheduleResume);
  const trigger = change('trigger', 'Start a run now; of a schedule with windows, that of its last tick.', false);
  does(trigger, runner, async () => (await actions()).scheduleTrigger);
  const remove = change('delete', 'Delete it. Runs in flight go on.', false);
  does(remove, runner, async () => (await actions()).scheduleDelete);
}

function declareBackfill(schedule: Command, runner: ActionRunner): void {
  const backfill = schedule
    .command('backfill')
    .description(
      'Run the intervals of the past that a schedule with windows has left out. What was committed before is not committed again.',
    )
    .argument('<id>', 'the id, as `schedule list` shows it')
    .requiredOption('--start <time>', 'start of the first interval')
    .requiredOption('--end <time>', 'end of the last interval')
    .addOption(
      new Option('--overlap <policy>', 'one interval after the other, or all at once')
        .choices(['buffer-all', 'allow-all'])
        .default('buffer-all'),
    )
    .option('--json', 'print JSON');
  withExamples(backfill, 'schedule backfill materialize/airport_delay --start 2001-01-01 --end 2001-02-01');
  does(backfill, runner, async () => (await import('../actions/schedule-change.js')).scheduleBackfill);
}
