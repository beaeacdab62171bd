import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { wholeNumber } from './options.js';

/** `compact`. */
export function declareCompactionCommands(program: Command, runner: ActionRunner): void {
  const compact = program
    .command('compact')
    .summary('Rewrite small files, and those with many deleted rows.')
    .description('Rewrite small files of a table, and those with many deleted rows, as fewer ones with the same rows.')
    .argument('<table>', '[CATALOG/]NAMESPACE.TABLE')
    .addOption(
      new Option('--strategy <name>', 'binpack: only larger files; sort: in order, too; latest: one row per entity')
        .choices(['binpack', 'sort', 'latest'])
        .makeOptionMandatory(),
    )
    .option('--columns <names>', "for sort: by these columns (default: the table's sort order)")
    .option('--z-order', 'for sort: by all columns at once, along a z-order curve')
    .option('--where <expression>', 'only files that may hold rows for which this is true')
    .option('--drop-expired', "for latest: rows older than the view's ttl go")
    .option('--allow-tie-change', 'also where tied rows of a feature view could win or lose otherwise than before')
    .option('--target-size <size>', 'size of a rewritten file, at least 1MiB (default: 512MiB)')
    .option('--max-bytes <size>', 'read at most this much; what is left waits for another run')
    .option(
      '--partial-progress <groups>',
      'groups of files that are committed together (default: a tenth, at least 1 GiB)',
      wholeNumber(1),
    )
    .option('--dry-run', 'only list the groups of files that would be rewritten')
    .option('--wait', 'wait for a run on a configured server')
    .option('--json', 'print JSON');
  withExamples(
    compact,
    'compact shop.orders --strategy binpack --dry-run',
    'compact shop.orders --strategy sort --columns customer,ordered_at --z-order --where "ordered_at >= \'2026-01-01\'"',
    'compact moraine_online.customer_stats --strategy latest --wait',
  );
  does(compact, runner, async () => (await import('../actions/compact.js')).compact);
}
