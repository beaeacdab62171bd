import type { Command } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { addAsOfOptions, engineOption, formatOption, summaryOption, tableOption, wholeNumber } from './options.js';

/** Options of commands that give rows. */
function addRowOptions(command: Command): Command {
  return command
    .option('--out <file>', 'write to this file; its extension tells the format')
    .addOption(formatOption())
    .addOption(summaryOption());
}

/** `features historical`, `pull-latest`, `pull-all`, `replay`, `datasets`, `logged` and `log-compare`. */
export function declareFeaturesGroup(program: Command, runner: ActionRunner): void {
  const features = program.command('features').description('Make training sets.').helpCommand(false);
  declareHistorical(features, runner);
  declarePull(features, runner, 'pull-latest', 'The newest row of each entity in a window of a table, or of SQL.');
  declarePull(features, runner, 'pull-all', 'Every row in a window of a table, or of SQL.');
  declareDatasets(features, runner);
  declareLogs(features, runner);
}

function declareHistorical(features: Command, runner: ActionRunner): void {
  const historical = features
    .command('historical')
    .description(
      'Point-in-time features: the values that were known at the time of each entity row. Entity rows are a file, a table or SQL; ' +
        'without any, --start and --end give every feature row between them.',
    )
    .requiredOption('--features <list>', 'view:feature,.. or the name of a feature service')
    .option('--entities <file>', 'Parquet, CSV, JSON Lines, JSON or Arrow with the join keys and an event_timestamp')
    .option('--entities-table <table>', 'an Iceberg table with the join keys and an event_timestamp')
    .option('--entities-sql <select>', 'SQL over tables that gives the join keys and an event_timestamp')
    .addOption(tableOption())
    .option('--start <time>', 'first event time of the window, included (default: the longest ttl before its end)')
    .option('--end <time>', 'last event time of the window, included (default: now)')
    .option('--full-names', 'name the columns view__feature')
    .option('--known-as-of', 'leave out rows that were created after the time of the entity row')
    .addOption(engineOption());
  addRowOptions(addAsOfOptions(historical))
    .option('--explain', 'print what would be read and how it would be joined instead of rows')
    .option('--save-as <target>', 'save as a dataset: a new table, or a new file that ends in .parquet')
    .option('--dataset <name>', "the dataset's name (default: that of its table or file)")
    .option('--pin', 'tag the snapshots that were read, so that maintenance keeps them')
    .option(
      '--shards <count>',
      'save a table by a workflow that retrieves the entity rows in so many shards',
      wholeNumber(1, 1000),
    )
    .option('--no-wait', 'with --shards: start the workflow on your Temporal server and do not wait for it');
  withExamples(
    historical,
    'features historical --features airport_delay:mean_delay --entities flights.csv --out training.parquet',
    'features historical --features airport_delay --entities-sql "SELECT origin, event_timestamp FROM demo.flights"',
    'features historical --features airport_delay --start 2001-01-01 --end 2001-01-31 --as-of 2001-06-01',
    'features historical --features airport_delay --entities-table demo.labels --save-as demo.training --shards 8',
  );
  does(historical, runner, async () => (await import('../actions/features-historical.js')).featuresHistorical);
}

function declareDatasets(features: Command, runner: ActionRunner): void {
  const replay = features
    .command('replay')
    .description(
      'Compare the rows that a saved dataset holds now, and those computed again from the snapshots it was made from, with what was saved.',
    )
    .argument('<dataset>', 'its name')
    .option('--json', 'print the digests and numbers of rows as JSON');
  withExamples(replay, 'features replay training_2001');
  does(replay, runner, async () => (await import('../actions/features-datasets.js')).featuresReplay);
  const datasets = features
    .command('datasets')
    .description('The saved datasets.')
    .option('--json', 'print JSON, with the snapshots they were made from');
  does(datasets, runner, async () => (await import('../actions/features-datasets.js')).featuresDatasets);
}

function declareLogs(features: Command, runner: ActionRunner): void {
  const logged = features
    .command('logged')
    .description('What was served for a feature service and logged, with the status and event time of each value.')
    .argument('<service>', 'the feature service')
    .option('--start <time>', 'first time that an answer is as of, included')
    .option('--end <time>', 'time that the answers end before');
  addRowOptions(logged);
  withExamples(logged, 'features logged departures --start 2001-12-01 --out served.parquet');
  does(logged, runner, async () => (await import('../actions/features-logs.js')).featuresLogged);
  const compare = features
    .command('log-compare')
    .description(
      'Compare what was served with what retrieval answers now for the same entities and times: by feature, what differs and why.',
    )
    .argument('<service>', 'the feature service')
    .option('--start <time>', 'first time that an answer is as of, included')
    .option('--end <time>', 'time that the answers end before')
    .option('--examples <count>', 'show this many values of each feature and cause (default: 3)', wholeNumber(0, 9999))
    .option('--check', 'end with an error if anything differs')
    .option('--json', 'print JSON');
  withExamples(compare, 'features log-compare departures --start 2001-12-01 --end 2002-01-01');
  does(compare, runner, async () => (await import('../actions/features-logs.js')).featuresLogCompare);
}

function declarePull(features: Command, runner: ActionRunner, name: string, description: string): void {
  const pull = features
    .command(name)
    .description(description)
    .argument('[table]', 'an Iceberg table')
    .option('--sql <select>', 'SQL over tables, instead of a table')
    .addOption(tableOption())
    .option('--keys <list>', 'columns of the join keys')
    .option('--features <list>', 'columns of the features (default: every other column)')
    .requiredOption('--timestamp <column>', 'column of the event time')
    .option('--created <column>', 'column of the time at which a row was written; decides among equal event times')
    .option('--start <time>', 'first event time, included')
    .option('--end <time>', 'last event time, included');
  addRowOptions(addAsOfOptions(pull));
  withExamples(
    pull,
    `features ${name} demo.delays --keys origin --timestamp event_ts --start 2001-01-01 --end 2001-02-01`,
    `features ${name} --sql "SELECT * FROM d WHERE delay > 0" --table d=demo.delays --keys origin --timestamp event_ts`,
  );
  does(pull, runner, async () => {
    const actions = await import('../actions/features-pull.js');
    return name === 'pull-all' ? actions.featuresPullAll : actions.featuresPullLatest;
  });
}
