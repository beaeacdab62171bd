import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { formatOption, repeated, tableOption } from './options.js';

/** `materialize`, `online get` and `features historical`. */
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
    .option('--wait', 'wait until the run is done and print its result')
    .option('--json', 'print the result as JSON');
  withExamples(
    materialize,
    'materialize airport_delay --wait',
    'materialize airport_delay --start 2001-01-01 --end 2001-02-01 --wait',
  );
  does(materialize, runner, async () => (await import('../actions/materialize.js')).materialize);

  const online = program.command('online').description('Read features from online tables.').helpCommand(false);
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
    .option('--json', 'print JSON');
  withExamples(
    get,
    'online get airport_delay --entity origin=SFO --entity origin=JFK',
    'online get airport_delay --entity origin=SFO --at 2001-12-31T23:00:00Z --json',
  );
  does(get, runner, async () => (await import('../actions/online-get.js')).onlineGet);

  const features = program.command('features').description('Make training sets.').helpCommand(false);
  const historical = features
    .command('historical')
    .description('Point-in-time features: the values that were known at the time of each row of an entity file.')
    .requiredOption('--features <list>', 'view:feature,.. or the name of a feature service')
    .option('--entities <file>', 'Parquet, CSV, JSON Lines, JSON or Arrow with the join keys and an event_timestamp')
    .option('--entities-table <table>', 'an Iceberg table with the join keys and an event_timestamp')
    .option('--entities-sql <select>', 'SQL over tables that gives the join keys and an event_timestamp')
    .addOption(tableOption())
    .option('--full-names', 'name the columns view__feature')
    .option('--known-as-of', 'leave out rows that were created after the time of the entity row')
    .option('--out <file>', 'write to this file; its extension tells the format')
    .addOption(formatOption());
  withExamples(
    historical,
    'features historical --features airport_delay:mean_delay --entities flights.csv --out training.parquet',
  );
  does(historical, runner, async () => (await import('../actions/features-historical.js')).featuresHistorical);
}
