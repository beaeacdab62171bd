import { type Command, InvalidArgumentError } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';

/** `estimate`. */
export function declareEstimateCommand(program: Command, runner: ActionRunner): void {
  const estimate = program
    .command('estimate')
    .summary('Show what a run would cost: CPU, bytes, requests, shards, engine.')
    .description(
      'Show what a materialization of a view would cost, or what computing a saved dataset again would: CPU time, bytes, requests, ' +
        'shards, memory and the engine to choose. Reads metadata alone and changes nothing. docs/scale.md says how far it may be off.',
    )
    .argument('<name>', 'the feature view, or the saved dataset')
    .option('--dataset', 'the name is that of a saved dataset, although a view has it, too')
    .option(
      '--rows <count>',
      'retrieve features of the view for so many entity rows, in place of a materialization',
      rows,
    )
    .option('--start <time>', 'materialize a window from this event time on')
    .option('--end <time>', 'event time that the run ends before')
    .option('--entities <count>', 'entities of the source (default: as many as the bounds of its keys allow)', rows)
    .option('--shards <count>', 'shards of the run (default: as many as it would have)', rows)
    .option('--json', 'print JSON');
  withExamples(
    estimate,
    'estimate airport_delay',
    'estimate airport_delay --start 2001-03-01 --end 2001-04-01',
    'estimate airport_delay --rows 10000000 --shards 4',
    'estimate churn_march --json',
  );
  does(estimate, runner, async () => (await import('../actions/estimate.js')).estimateRun);
}

/** Counts of rows are longer than other numbers. */
function rows(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 on.');
}
