import { type Command, Option } from 'commander';
import { wholeNumber } from './options.js';

const ENVIRONMENT = 'MORAINE_KAFKA_USERNAME and MORAINE_KAFKA_PASSWORD';

/** What options of several commands say. */
export const TOPIC = 'the topic; its partitions are read from where the table has them, new ones from their beginning';
export const GROUP = 'the group whose offsets follow the commits, for tools that show the lag (default: moraine.NAME)';

/** Options of a command that reads a topic of Kafka. */
export function addKafkaOptions(command: Command): Command {
  return command
    .option(
      '--kafka <brokers>',
      'read a topic of Kafka instead of files: HOST:PORT of some brokers, with commas between them',
    )
    .option('--topic <topic>', TOPIC)
    .option('--until-end', 'stop at the ends that the topic has at the start (default: run until Ctrl-C or SIGTERM)')
    .option('--group <group>', GROUP)
    .option('--kafka-timeout <seconds>', 'how long brokers may be away (default: 300)', wholeNumber(1, 86_400))
    .option('--tls', 'reach brokers by TLS')
    .option('--tls-ca <file>', 'authorities that are trusted instead of those that Node knows, in PEM')
    .option('--tls-cert <file>', 'certificate of this client, in PEM')
    .option('--tls-key <file>', 'its private key, in PEM')
    .addOption(
      new Option(
        '--sasl <mechanism>',
        `log in to brokers with the user and the password of the environment variables ${ENVIRONMENT}`,
      ).choices(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
    );
}
