import type { Command } from 'commander';
import { type ActionRunner, declareControl, does, withExamples } from '../define.js';
import { GROUP, TOPIC } from './kafka-options.js';
import { wholeNumber } from './options.js';
import { addRecordOptions } from './sink.js';

/** `ingest start` and what is said to one in flight. */
export function declareIngestCommands(program: Command, runner: ActionRunner): void {
  const ingest = program
    .command('ingest')
    .description(
      'Follow files, or a topic of Kafka, on the workers of a Temporal server, each record into its table once.',
    );
  const start = ingest
    .command('start')
    .description('Start a workflow that has a sink follow files, or a topic of Kafka, until it is drained.')
    .argument('<table>', '[CATALOG/]NAMESPACE.TABLE')
    .argument('[files...]', 'the files, as the worker finds them, in folders of worker.ingestFolders')
    .option(
      '--kafka <cluster>',
      'read a topic of Kafka instead of files: a name of worker.ingestKafka in the moraine.yaml of the worker, which knows the brokers',
    )
    .option('--topic <topic>', TOPIC)
    .option('--group <group>', GROUP)
    .option(
      '--name <name>',
      'tells the sinks of a table apart: positions are kept under it (default: files, or kafka.TOPIC)',
    );
  addBatchOptions(start, ['10000', '10']);
  addRecordOptions(start).option('--json', 'print the run as JSON');
  withExamples(
    start,
    'ingest start iot.uplinks /var/log/uplinks.ndjson --batch-interval 5',
    'ingest start iot.uplinks /var/log/uplinks.ndjson --field device_id=uplink.device.id --bad-records drop',
    'ingest start iot.uplinks --kafka prod --topic uplinks --batch-interval 5',
  );
  does(start, runner, async () => (await import('../actions/ingest.js')).ingestStart);

  control(ingest, runner, 'pause', 'Commit what was read, and read no more.');
  control(ingest, runner, 'resume', 'Go on after a pause, from where the table has the records.');
  control(ingest, runner, 'drain', 'Write what the source has now, and end.');
  const batch = ingest
    .command('batch')
    .description('Change when batches are committed.')
    .argument('<id>', 'its workflow id');
  addBatchOptions(batch, ['as before', 'as before']);
  withExamples(batch, 'ingest batch ingest/iot.uplinks/files --batch-size 50000 --batch-interval 30');
  does(batch, runner, async () => (await import('../actions/ingest.js')).ingestBatch);
  const status = ingest
    .command('status')
    .description('Show what an ingest does, and what the attempts that have ended committed.')
    .argument('<id>', 'its workflow id')
    .option('--json', 'print JSON');
  does(status, runner, async () => (await import('../actions/ingest.js')).ingestStatus);
}

/** @param unlessGiven what holds without them */
function addBatchOptions(command: Command, [size, interval]: readonly [string, string]): Command {
  return command
    .option('--batch-size <records>', `records of a commit (default: ${size})`, wholeNumber(1, 10_000_000))
    .option(
      '--batch-interval <seconds>',
      `time after which fewer records are committed, too (default: ${interval})`,
      wholeNumber(1, 3600),
    );
}

function control(ingest: Command, runner: ActionRunner, name: 'pause' | 'resume' | 'drain', description: string): void {
  declareControl(
    ingest,
    runner,
    { name, description },
    async () => (await import('../actions/ingest.js')).ingestControls[name],
  );
}
