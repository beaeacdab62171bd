import type { Command } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { wholeNumber } from './options.js';

/** `sink run`. */
export function declareSinkCommands(program: Command, runner: ActionRunner): void {
  const sink = program.command('sink').description('Stream records into tables, each of them once.');
  const run = sink
    .command('run')
    .description(
      'Write the records of JSON Lines files into a table that exists. What an earlier run has committed is not written again, however it ended.',
    )
    .argument('<table>', '[CATALOG/]NAMESPACE.TABLE')
    .argument('<files...>', 'the files, one after the other; a file is known by its name and its first line')
    .option('--name <name>', 'tells the sinks of a table apart: positions are kept under it (default: files)')
    .option('--batch-size <records>', 'records of a commit (default: 10000)', wholeNumber(1))
    .option(
      '--batch-interval <seconds>',
      'time after which fewer records are committed, too (default: 10)',
      wholeNumber(1, 3600),
    )
    .option('--json', 'print what was written as JSON');
  withExamples(
    run,
    'sink run shop.orders orders.ndjson',
    'sink run iot.uplinks day-1.ndjson day-2.ndjson --batch-size 50000',
  );
  does(run, runner, async () => (await import('../actions/sink-run.js')).sinkRun);
}
