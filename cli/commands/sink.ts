import { type Command, Option } from 'commander';
import { type ActionRunner, does, withExamples } from '../define.js';
import { addKafkaOptions } from './kafka-options.js';
import { assigned, wholeNumber } from './options.js';

/** `sink run` and `sink replay`. */
export function declareSinkCommands(program: Command, runner: ActionRunner): void {
  const sink = program.command('sink').description('Stream records into tables, each of them once.');
  const run = sink
    .command('run')
    .description(
      'Write the records of JSON Lines files, or of a topic of Kafka, into a table. What an earlier run has committed is not written again, however it ended.',
    )
    .argument('<table>', '[CATALOG/]NAMESPACE.TABLE')
    .argument(
      '[files...]',
      'the files, one after the other, each known by what it holds, whatever its name; - is standard input, whose records are written at least once',
    )
    .option('--create', 'create the table if it does not exist, with the columns of the first file')
    .option('--partition <transforms>', 'partitioning of a table that is created, such as "day(at)"')
    .option(
      '--name <name>',
      'tells the sinks of a table apart: positions are kept under it (default: files, or kafka.TOPIC)',
    )
    .option('--batch-size <records>', 'records of a commit (default: 10000)', wholeNumber(1))
    .option(
      '--batch-interval <seconds>',
      'time after which fewer records are committed, too (default: 10)',
      wholeNumber(1, 3600),
    );
  addRecordOptions(run)
    .option(
      '--follow',
      'wait for more at the ends of the files, until Ctrl-C or SIGTERM; they may not be there yet, and be renamed or truncated',
    )
    .option(
      '--json',
      'print what was written as JSON; with --follow, or of a topic without --until-end, also the progress, a line after each commit',
    );
  addKafkaOptions(run);
  withExamples(
    run,
    'sink run shop.orders orders.ndjson',
    'sink run iot.uplinks day-1.ndjson day-2.ndjson --batch-size 50000',
    'sink run iot.uplinks /var/log/uplinks.ndjson --follow --batch-interval 5',
    'sink run iot.uplinks uplinks.ndjson --field device_id=uplink.device.id --time at=epoch_ms --dead-letters iot.dead_letters',
    'sink run iot.uplinks --kafka kafka-1:9092,kafka-2:9092 --topic uplinks --batch-interval 5',
  );
  does(run, runner, async () => (await import('../actions/sink-run.js')).sinkRun);

  const replay = sink
    .command('replay')
    .description('Make rows of the dead letters that fit their table now, each once, and mark them as replayed.')
    .argument('<table>', '[CATALOG/]NAMESPACE.TABLE of the dead letters')
    .option('--table <table>', 'the table that they were for, where there are several or it has another name now')
    .option('--batch-size <records>', 'dead letters of a commit (default: 10000)', wholeNumber(1))
    .option('--dry-run', 'tell how many are rows now, and change nothing')
    .option(
      '--abandon-lost',
      'go on if the list of what an earlier replay has made rows of is gone: they are replayed again then',
    )
    .option('--json', 'print what was done as JSON');
  withMapping(replay);
  withUpsert(replay);
  withExamples(
    replay,
    'sink replay iot.dead_letters --dry-run',
    'sink replay iot.dead_letters --extra-fields ignore --time at=epoch_ms',
  );
  does(replay, runner, async () => (await import('../actions/sink-replay.js')).sinkReplay);
}

/** Options that say how records become rows. */
export function addRecordOptions(command: Command): Command {
  withMapping(command);
  command.addOption(
    new Option('--bad-records <policy>', 'stop at a record that is no row, or leave it out and count it').choices([
      'fail',
      'drop',
    ]),
  );
  command.option(
    '--error <column>',
    'write records that are no rows, too: with what is wrong in this column, the record in that of --raw, and no other values',
  );
  withUpsert(command);
  return command
    .option(
      '--materialize <views>',
      'online feature views of the table, such as devices,gateways, which get each batch before the next one is committed',
    )
    .option(
      '--evolve',
      'add columns for fields that no column takes, widen types of numbers and make required columns optional where records ask for it',
    )
    .option('--dead-letters <table>', 'a table for records that are no rows; it is created if it does not exist')
    .option(
      '--abandon-lost',
      'go on if a dead-letter table that an earlier run has files for is gone: they are lost then',
    );
}

/** Options that say how the fields of a record become the columns of a row. */
function withMapping(command: Command): void {
  command
    .option(
      '--field <column=path>',
      'take a column from this field: its name, or a path such as uplink.device.id (repeat it for more columns)',
      assigned('COLUMN=PATH'),
    )
    .option(
      '--time <column=form>',
      'how points in time are written: iso (default), epoch_s, epoch_ms or epoch_us (repeat it for more columns)',
      assigned('COLUMN=FORM'),
    )
    .option('--rest <column>', 'keep the fields that no column takes in this column, as JSON')
    .option('--raw <column>', 'keep the record as it came in this column, of texts or bytes')
    .addOption(
      new Option('--extra-fields <policy>', 'records with fields that no column takes are bad, or not').choices([
        'fail',
        'ignore',
      ]),
    );
}

/** Options of sinks that keep one row of each key. */
function withUpsert(command: Command): void {
  command
    .option(
      '--upsert <columns>',
      'keep one row of each key, which has these columns, such as device_id,metric; needs --order',
    )
    .option(
      '--order <column>',
      'the row with the highest value of this column stays, of equal ones the last that was read',
    );
}
