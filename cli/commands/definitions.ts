import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { repeated } from './options.js';

/** `init`, `apply`, and the lists of what is registered. */
export function declareDefinitionCommands(program: Command, runner: ActionRunner): void {
  const init = program
    .command('init')
    .summary('Make a project.')
    .description('Make a project: a configuration, example definitions and example data. Nothing is overwritten.')
    .argument('<dir>', 'the folder, created if it does not exist')
    .option(
      '--catalog <address>',
      'where the catalog is: a SQLite file, postgresql://.., https://.. (REST), thrift://.. (Hive), glue[:REGION], trino://HOST:PORT/CATALOG or memory',
    )
    .option('--warehouse <place>', 'where tables go: a folder, s3://BUCKET/PREFIX or gs://..')
    .addOption(
      new Option(
        '--catalog-option <name=value>',
        "an option of the catalog; a secret as '${NAME}' of the environment; can be repeated",
      ).argParser(repeated),
    )
    .addOption(
      new Option(
        '--storage-option <name=value>',
        'an option of the object store, such as s3.endpoint; can be repeated',
      ).argParser(repeated),
    );
  withExamples(
    init,
    'init shop && cd shop',
    'init shop --warehouse s3://lake/shop --storage-option s3.region=eu-central-1',
    "init shop --catalog https://catalog.example.com --catalog-option 'credential=${CREDENTIAL}' --warehouse s3://lake",
  );
  does(init, runner, async () => (await import('../actions/init.js')).init);

  const apply = program
    .command('apply')
    .summary('Register definitions.')
    .description(
      'Register definitions: print what will change, then change it. Definitions that are not in the files are left alone.',
    )
    .argument('[file...]', 'YAML, JSON, JavaScript or TypeScript files (default: `definitions` of the configuration)')
    .option('--dry-run', 'stop after printing what would change')
    .option(
      '--prune',
      'also remove registered definitions that are not in the files, with the online tables of such views, and the online tables of views that get other join keys',
    )
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
  declareViewCommands(program, runner);
  const lists = () => import('../actions/definition-list.js');
  const services = listOf(program, 'service', 'Look at registered feature services.', 'List the feature services.');
  does(services, runner, async () => (await lists()).serviceList);
  const entities = listOf(program, 'entity', 'Look at registered entities.', 'List the entities and their join keys.');
  does(entities, runner, async () => (await lists()).entityList);
}

function declareViewCommands(program: Command, runner: ActionRunner): void {
  const list = listOf(program, 'view', 'Look at registered feature views.', 'List the feature views.');
  does(list, runner, async () => (await import('../actions/definition-list.js')).viewList);

  const show = (list.parent ?? program)
    .command('show')
    .description('Show a feature view: its definition, its source table and how far its online table has come.')
    .argument('<view>', 'the feature view')
    .option('--json', 'print JSON');
  withExamples(show, 'view show airport_delay');
  does(show, runner, async () => (await import('../actions/view-show.js')).viewShow);
}

/** A group of commands with `list` as its first. */
function listOf(program: Command, kind: string, description: string, lists: string): Command {
  const list = program
    .command(kind)
    .description(description)
    .helpCommand(false)
    .command('list')
    .description(lists)
    .option('--json', 'print JSON Lines');
  return withExamples(list, `${kind} list`);
}
