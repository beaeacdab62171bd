import { type Command } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { wholeNumber } from './options.js';

/** `maintain`. */
export function declareMaintenanceCommands(program: Command, runner: ActionRunner): void {
  const maintain = program
    .command('maintain')
    .summary('Expire snapshots and remove files that nothing reaches.')
    .description(
      'Expire snapshots that nobody needs, remove files that nothing reaches, drop dangling deletes and rewrite manifests.',
    )
    .argument('<table>', '[CATALOG/]NAMESPACE.TABLE')
    .option('--dry-run', 'only list every file that would go')
    .option('--why <file>', 'with --dry-run: say of this file what would become of it, and why')
    .option('--older-than <age>', "snapshots older than this expire (default: the table's properties, or 5d)")
    .option(
      '--retain-last <n>',
      "the newest snapshots of a branch that stay (default: the table's properties, or 1)",
      wholeNumber(1),
    )
    .option('--orphans-older-than <age>', 'files older than this that nothing reaches are removed (default: 3d)')
    .option(
      '--metadata-versions <n>',
      "shorten the metadata log to so many previous files (default: the table's properties)",
      wholeNumber(1),
    )
    .option('--delete-outside', "also delete files outside the table's folders that only expired snapshots name")
    .option('--allow-young', 'confirm orphans of less than a day: nobody else writes to the table')
    .option('--wait', 'wait for a run on a configured server')
    .option('--json', 'print JSON; with --dry-run JSON Lines of every file, and why it stays or goes');
  withExamples(
    maintain,
    'maintain shop.orders --dry-run',
    'maintain shop.orders --dry-run --why warehouse/shop/orders/data/0.parquet',
    'maintain shop.orders --older-than 7d --retain-last 10 --wait',
  );
  does(maintain, runner, async () => (await import('../actions/maintain.js')).maintain);
}

/** `table health`, `table register` and `table move`. */
export function declareTableMaintenanceCommands(table: Command, runner: ActionRunner): void {
  const health = table
    .command('health')
    .description('Show how far the files of a table are from what readers would like. No data is read.')
    .argument('<table>', '[CATALOG/]NAMESPACE.TABLE, or the location of a metadata file')
    .option('--root <dir>', 'for a location: the only folder files are read from (default: the table location)')
    .option('--json', 'print JSON');
  withExamples(health, 'table health shop.orders');
  does(health, runner, async () => (await import('../actions/table-health.js')).showTableHealth);

  const register = table
    .command('register')
    .description(
      'Point a new name at a metadata file, or at the newest one in the folder of a table whose catalog is lost.',
    )
    .argument('<table>', '[CATALOG/]NAMESPACE.TABLE')
    .argument('<location>', 'a metadata file, or the folder of the table')
    .option('--json', 'print JSON');
  withExamples(register, 'table register shop.orders warehouse/shop/orders');
  does(register, runner, async () => (await import('../actions/table-register.js')).tableRegister);

  const move = table
    .command('move')
    .summary('Copy a table to another catalog, with its history, and let its old name refuse writes.')
    .description(
      'Copy a table with its history to another catalog and rewrite the locations in its files. The new name is the same. From then on the old name refuses writes; it can be read, and its files stay. Repeat the command to finish a move that was cut short. The feature views that read the old name are listed.',
    )
    .argument('[table]', '[CATALOG/]NAMESPACE.TABLE')
    .requiredOption('--to <catalog>', 'the catalog that the table goes to')
    .option('--location <uri>', 'the new folder (default: where the catalog puts tables of the name)')
    .option('--all', 'move every table of a catalog')
    .option('--from <catalog>', 'with --all: the catalog whose tables move (default: the default catalog)')
    .option('--drop-old', 'drop the old name at the end; its files stay')
    .option('--json', 'print JSON: a line for each table');
  withExamples(move, 'table move shop.orders --to r2', 'table move --all --from local --to r2');
  does(move, runner, async () => (await import('../actions/table-move.js')).tableMove);
}
