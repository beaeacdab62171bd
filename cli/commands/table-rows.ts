import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';

const TABLE = '[CATALOG/]NAMESPACE.TABLE';

/** `table delete|upgrade|drop`. */
export function declareRowLevelCommands(table: Command, runner: ActionRunner): void {
  const remove = table
    .command('delete')
    .description('Delete the rows for which an expression is true, in one commit, without rewriting data files.')
    .argument('<table>', TABLE)
    .requiredOption('--where <expression>', 'rows for which this is true; those for which it is null stay')
    .option('--dry-run', 'count the rows and change nothing')
    .option('--json', 'print the outcome as JSON');
  withExamples(remove, 'table delete shop.orders --where "total < 0" --dry-run');
  does(remove, runner, async () => (await import('../actions/table-delete.js')).tableDelete);

  const upgrade = table
    .command('upgrade')
    .description('Raise the format version of a table; there is no way back. Files stay as they are.')
    .argument('<table>', TABLE)
    .addOption(new Option('--to <version>', 'the format version').choices(['2', '3']).makeOptionMandatory())
    .option('--json', 'print the versions as JSON');
  withExamples(upgrade, 'table upgrade shop.orders --to 3');
  does(upgrade, runner, async () => (await import('../actions/table-upgrade.js')).tableUpgrade);

  const drop = table
    .command('drop')
    .description('Drop a table: its name goes from the catalog, its files stay unless they are purged.')
    .argument('<table>', TABLE)
    .option('--purge', "also delete the files of all its snapshots, as far as they lie in the table's own folders")
    .option('--json', 'print the outcome as JSON');
  withExamples(drop, 'table drop shop.orders', 'table drop shop.orders --purge');
  does(drop, runner, async () => (await import('../actions/table-drop.js')).tableDrop);
}
