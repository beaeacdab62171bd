/** Apache Kafka in one process: broker and controller in KRaft mode, on free ports of this machine; and its topics and records by Java's clients. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../workers/server/free-ports.js';
import { makeCertificate } from './certificate.js';
import { type JavaServer, startJavaServer } from './java-server.js';
import { cachedJar, jarsOf } from './maven.js';
import { projectRoot } from './paths.js';
import { PROGRAM_LIMIT } from './program-limit.js';

const JARS = 'jars-kafka.txt';

/** Whom the listener with SASL knows: by PLAIN, and by SCRAM-SHA-256. */
export const KAFKA_USER = { username: 'alice', password: 'wonder-land' } as const;

interface Ports {
  readonly plain: number;
  readonly secure: number;
  readonly controller: number;
}

export class KafkaServer {
  readonly brokers: readonly string[];
  /** Where it wants TLS and SASL. */
  readonly secureBroker: string;
  /** The authority of its certificate. */
  readonly authority: string;
  readonly #java: readonly string[];
  readonly #settings: string;
  readonly #port: number;
  #process: ChildProcess | undefined;
  #tool: KafkaTool | undefined;

  private constructor(java: readonly string[], settings: string, ports: Ports, authority: string) {
    this.brokers = [`127.0.0.1:${ports.plain}`];
    this.secureBroker = `127.0.0.1:${ports.secure}`;
    this.authority = authority;
    this.#java = java;
    this.#settings = settings;
    this.#port = ports.plain;
  }

  /** The first call on a machine downloads it. @param folder of its own; what it kept there before is there again */
  static async start(folder: string): Promise<KafkaServer> {
    const paths: string[] = [];
    for (const jar of jarsOf(join(projectRoot, 'test/interop', JARS))) paths.push(await cachedJar(jar));
    const [plain = 0, secure = 0, controller = 0] = await freePorts(3);
    const settings = join(folder, 'server.properties');
    mkdirSync(folder, { recursive: true });
    const isNew = !existsSync(settings);
    const { certificate, key, authority } = makeCertificate(folder);
    const identity = join(folder, 'identity.pem');
    writeFileSync(identity, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'));
    const ports = { plain, secure, controller };
    writeFileSync(settings, settingsOf(folder, ports, identity));
    const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', paths.join(delimiter)];
    // One that begins with a dash would be taken for an option.
    const id = randomBytes(16).toString('base64url').replace(/^-/, 'A');
    const scram = `SCRAM-SHA-256=[name=${KAFKA_USER.username},password=${KAFKA_USER.password}]`;
    const format = ['kafka.tools.StorageTool', 'format', '-t', id, '-c', settings, '--add-scram', scram];
    const { status, stderr } = isNew
      ? spawnSync('java', [...java, ...format], { encoding: 'utf8', ...PROGRAM_LIMIT })
      : { status: 0, stderr: '' };
    if (status !== 0) throw new Error(`formatting Kafka's storage ended with ${status}: ${stderr}`);
    const server = new KafkaServer(java, settings, ports, authority);
    await server.restart();
    server.#tool = await KafkaTool.start(server.brokers[0] ?? '');
    return server;
  }

  /** Runs a command of `KafkaTool.java`. @returns its answer */
  async tool(...words: readonly (string | number)[]): Promise<string> {
    if (this.#tool === undefined) throw new Error('Kafka is not running');
    return await this.#tool.run(words);
  }

  /** A command of a shell that runs one of Kafka's own tools. @param tool its class, such as `TopicCommand` */
  command(tool: string): string {
    return ['java', ...this.#java, `org.apache.kafka.tools.${tool}`].map((word) => `'${word}'`).join(' ');
  }

  /** Starts it, or again after `kill`; nothing if it runs. */
  async restart(): Promise<void> {
    if (this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null) return;
    // Tests of another server would wait for what never happens there.
    if (await listens(this.#port)) throw new Error(`another process has taken Kafka's port ${this.#port}`);
    this.#process = spawn('java', [...this.#java, 'kafka.Kafka', this.#settings], { stdio: 'ignore' });
    while (!(await listens(this.#port))) {
      if (this.#process.exitCode !== null) throw new Error(`Kafka ended with code ${this.#process.exitCode}`);
      await sleep(100);
    }
  }

  /** By SIGKILL, unless told otherwise. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    await this.#tool?.close();
    await this.kill('SIGTERM');
  }
}

/** One command at a time. */
class KafkaTool {
  readonly #java: JavaServer;
  readonly #answers: AsyncIterator<string, undefined>;
  #work: Promise<unknown> = Promise.resolve();

  private constructor(java: JavaServer) {
    this.#java = java;
    const lines = createInterface({ input: java.process.stdout as Readable });
    this.#answers = lines[Symbol.asyncIterator]();
  }

  static async start(broker: string): Promise<KafkaTool> {
    return new KafkaTool(await startJavaServer(JARS, 'KafkaTool.java', [broker]));
  }

  run(words: readonly (string | number)[]): Promise<string> {
    const answer = this.#work.then(async () => {
      this.#java.process.stdin?.write(`${words.join(' ')}\n`);
      const { value = 'error it has ended' } = await this.#answers.next();
      if (!value.startsWith('ok ')) throw new Error(`KafkaTool ${words.join(' ')}: ${value}`);
      return value.slice('ok '.length);
    });
    this.#work = answer.catch(() => undefined);
    return answer;
  }

  async close(): Promise<void> {
    await this.#java.close();
  }
}

const SASL = 'listener.name.sasl_ssl';
const MODULES = 'org.apache.kafka.common.security';

const settingsOf = (folder: string, { plain, secure, controller }: Ports, identity: string): string => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controller}
listeners=PLAINTEXT://127.0.0.1:${plain},SASL_SSL://127.0.0.1:${secure},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=PLAINTEXT://127.0.0.1:${plain},SASL_SSL://127.0.0.1:${secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
ssl.keystore.type=PEM
ssl.keystore.location=${identity}
${SASL}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
${SASL}.plain.sasl.jaas.config=${MODULES}.plain.PlainLoginModule required user_${KAFKA_USER.username}="${KAFKA_USER.password}";
${SASL}.scram-sha-256.sasl.jaas.config=${MODULES}.scram.ScramLoginModule required;
log.dirs=${join(folder, 'logs')}
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
file.delete.delay.ms=100
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
`;

async function listens(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
