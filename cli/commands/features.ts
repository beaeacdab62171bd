import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { declareFeaturesGroup } from './features-group.js';
import { engineOption, repeated, wholeNumber } from './options.js';

/** `materialize`, `online get|write|teardown`, `push` and the commands of `features`. */
export function declareFeatureCommands(program: Command, runner: ActionRunner): void {
  const materialize = program
    .command('materialize')
    .summary('Bring the online table of a feature view up to date.')
    .description(
      'Bring the online table of a feature view up to date: what changed since the last run, or with --start a window. ' +
        'Without a Temporal server of yours, one runs here until it is done.',
    )
    .argument('<view>', 'the feature view')
    .option('--start <time>', 'first event time of the window')
    .option('--end <time>', 'event time that the window ends before (default: now)')
    .option(
      '--shards <count>',
      'split the run into so many pieces, which workers share (default: by rows and memory)',
      wholeNumber(1, 1000),
    )
    .addOption(engineOption())
    .option('--wait', 'wait until the run is done and print its result')
    .option('--json', 'print the result as JSON');
  withExamples(
    materialize,
    'materialize airport_delay --wait',
    'materialize airport_delay --start 2001-01-01 --end 2001-02-01 --wait',
  );
  does(materialize, runner, async () => (await import('../actions/materialize.js')).materialize);

  const online = program.command('online').description('Read and write features of online tables.').helpCommand(false);
  const get = online
    .command('get')
    .description('The newest feature values of entities, with a status for each value.')
    .argument('<view>', 'a feature view or feature service')
    .addOption(
      new Option('--entity <key=value>', 'join keys of an entity, as k=v[,k2=v2]; may be given several times')
        .argParser(repeated)
        .makeOptionMandatory(),
    )
    .option('--at <time>', 'read as of this time (default: now)')
    .option('--log', 'append the answer to the log of the feature service')
    .option('--json', 'print JSON');
  withExamples(
    get,
    'online get airport_delay --entity origin=SFO --entity origin=JFK',
    'online get airport_delay --entity origin=SFO --at 2001-12-31T23:00:00Z --json',
    'online get departures --entity origin=SFO --log',
  );
  does(get, runner, async () => (await import('../actions/online-get.js')).onlineGet);

  const write = online
    .command('write')
    .description(
      "Write the rows of a file into a view's online table, in one commit. The newest row of an entity wins, whatever is written first.",
    )
    .argument('<view>', 'the feature view')
    .argument(
      '<file>',
      'a .parquet, .csv, .jsonl or .arrow file: join keys, features, event_timestamp, created_timestamp',
    )
    .option('--key <text>', 'commit the rows once, however often this is repeated with the same key')
    .option('--from-source', 'the source table has these rows, too: they go when they are deleted there')
    .option('--json', 'print the result as JSON');
  withExamples(write, 'online write airport_delay delays.jsonl --key delays-2001-12-31');
  does(write, runner, async () => (await import('../actions/online-write.js')).onlineWrite);

  const teardown = online
    .command('teardown')
    .description(
      'Drop the online tables of feature views with their files, rows that were pushed among them. Definitions and source tables stay.',
    )
    .argument('[view...]', 'the feature views (default: all that are registered)')
    .option('--yes', 'drop them; without it the command names the tables and fails')
    .option('--dry-run', 'print what would be dropped')
    .option('--json', 'print the result as JSON');
  withExamples(teardown, 'online teardown --dry-run', 'online teardown airport_delay --yes');
  does(teardown, runner, async () => (await import('../actions/online-teardown.js')).onlineTeardown);

  declarePush(program, runner);
  declareFeaturesGroup(program, runner);
}

function declarePush(program: Command, runner: ActionRunner): void {
  const push = program
    .command('push')
    .summary('Write the rows of a file to every feature view of a push source.')
    .description(
      'Write the rows of a file to every feature view that names a push source (pushSource): to their online tables, their source tables, or both. ' +
        'Columns have the names of the source tables. Nothing is written unless the rows fit all of them; then each table gets them in one commit.',
    )
    .argument('<source>', 'the push source')
    .argument('<file>', 'Parquet, CSV, JSON Lines or Arrow')
    .addOption(
      new Option('--to <target>', 'which tables are written')
        .choices(['online', 'offline', 'online_and_offline'])
        .default('online'),
    )
    .option('--key <text>', 'write each table once, however often this is repeated with the same key')
    .option('--json', 'print the result as JSON');
  withExamples(push, 'push delays delays.jsonl --to online_and_offline --key delays-2001-12-31');
  does(push, runner, async () => (await import('../actions/push.js')).pushFile);
}
