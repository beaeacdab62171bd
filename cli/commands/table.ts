import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { declareTableMaintenanceCommands } from './maintenance.js';
import { formatOption, summaryOption } from './options.js';
import { declareRowLevelCommands } from './table-rows.js';

const TABLE = '[CATALOG/]NAMESPACE.TABLE';
const TABLE_OR_LOCATION = `${TABLE}, or the location of a metadata file`;
const PARTITION = 'partition transforms, such as "month(date), bucket[16](id)"; #7 is the column with field id 7';

/** Which state of the table, and for a bare location which folder its files may be in. */
function addSnapshotOptions(command: Command): Command {
  return command
    .addOption(new Option('--snapshot <id>', 'the snapshot of this id').conflicts(['ref', 'asOf']))
    .addOption(new Option('--ref <name>', 'the snapshot of a branch or tag').conflicts(['snapshot', 'asOf']))
    .addOption(
      new Option('--as-of <time>', 'the snapshot that was current at this time').conflicts(['snapshot', 'ref']),
    );
}

function addRootOption(command: Command): Command {
  return command.option(
    '--root <dir>',
    'for a location: the only folder files are read from (default: the table location)',
  );
}

/** `table list|create|append|scan|show|files|history`. */
export function declareTableCommands(program: Command, runner: ActionRunner): void {
  const table = program.command('table').description('Create, fill and read Iceberg tables.').helpCommand(false);

  const list = table
    .command('list')
    .description('List the tables of every configured catalog, and its views, which only other engines read.')
    .option('--json', 'print JSON Lines');
  withExamples(list, 'table list');
  does(list, runner, async () => (await import('../actions/table-list.js')).tableList);

  const create = table
    .command('create')
    .description('Create an empty table, and its namespace if needed.')
    .argument('<table>', TABLE)
    .requiredOption('--schema <file>', 'an Iceberg schema as JSON')
    .option('--partition <transforms>', PARTITION)
    .addOption(
      new Option(
        '--format-version <version>',
        'of the table format; 3 has row lineage, deletion vectors and more types',
      )
        .choices(['2', '3'])
        .default('2'),
    )
    .option('--json', 'print the new table as JSON');
  withExamples(create, 'table create shop.orders --schema schema.json --partition "day(ordered_at)"');
  does(create, runner, async () => (await import('../actions/table-create.js')).tableCreate);

  const append = table
    .command('append')
    .description('Append the rows of a Parquet, CSV or JSON Lines file in one commit.')
    .argument('<table>', TABLE)
    .argument('<file>', 'the file; its extension tells the format')
    .option('--create', 'create the table (and its namespace) with the columns of the file if it does not exist')
    .option('--partition <transforms>', `with --create: ${PARTITION}`)
    .option('--json', 'print the commit as JSON');
  withExamples(append, 'table append shop.orders orders.csv --create --partition "month(ordered_at), bucket[16](id)"');
  does(append, runner, async () => (await import('../actions/table-append.js')).tableAppend);

  const scan = addSnapshotOptions(
    table
      .command('scan')
      .description('Print the rows of a table, as JSON Lines by default.')
      .argument('<table>', TABLE_OR_LOCATION),
  )
    .option('--columns <names>', 'only these columns, in this order; a name with a comma in double quotes')
    .option(
      '--where <expression>',
      "only rows for which this is true, such as \"delay > 30 AND origin IN ('SFO', 'JFK')\"",
    )
    .option('--out <file>', 'write to this file; its extension tells the format')
    .addOption(formatOption())
    .addOption(summaryOption());
  addRootOption(scan);
  withExamples(
    scan,
    'table scan shop.orders --columns id,total --where "total >= 100 AND ordered_at < \'2024-01-01\'"',
    'table scan /data/orders/metadata/v7.metadata.json --as-of 2024-01-01T00:00:00Z --format csv',
  );
  does(scan, runner, async () => (await import('../actions/table-scan.js')).tableScan);

  const show = addRootOption(
    table
      .command('show')
      .description('Show the schema, partitioning, properties and current snapshot of a table.')
      .argument('<table>', TABLE_OR_LOCATION)
      .option('--json', 'print JSON'),
  );
  withExamples(show, 'table show shop.orders');
  does(show, runner, async () => (await import('../actions/table-show.js')).tableShow);

  const files = addRootOption(
    addSnapshotOptions(
      table
        .command('files')
        .description('List the data files of a snapshot.')
        .argument('<table>', TABLE_OR_LOCATION)
        .option('--where <expression>', 'only files that may hold rows for which this is true')
        .option('--json', 'print JSON Lines'),
    ),
  );
  withExamples(files, 'table files shop.orders --where "total > 1000"');
  does(files, runner, async () => (await import('../actions/table-files.js')).tableFiles);

  const history = addRootOption(
    table
      .command('history')
      .description('List the snapshots of a table, oldest first.')
      .argument('<table>', TABLE_OR_LOCATION)
      .option('--json', 'print JSON Lines'),
  );
  withExamples(history, 'table history shop.orders');
  does(history, runner, async () => (await import('../actions/table-history.js')).tableHistory);

  declareRowLevelCommands(table, runner);
  declareTableMaintenanceCommands(table, runner);
}
