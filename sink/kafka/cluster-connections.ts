/** Connections to the brokers of a cluster, one to each. The client library is loaded when the first are opened. */
import type * as Library from '@platformatic/kafka';
import type { Connection, ConnectionOptions } from '@platformatic/kafka';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { unlessAborted, withinTime } from '../../processes/index.js';
import { completeCodecs } from './codecs.js';
import { type BrokerAddress, brokerAddress, type KafkaAccess, tlsOptions } from './kafka-access.js';
import { kafkaError } from './kafka-errors.js';

const CLIENT_ID = 'moraine-sink';
const CONNECT_MS = 10_000;
const CALL_MS = 10_000;

/** Sends a request, and gives its answer. */
export type KafkaRequest<T> = (connection: Connection, library: typeof Library) => Promise<T>;

export class ClusterConnections {
  readonly #library: typeof Library;
  readonly #bootstrap: readonly BrokerAddress[];
  readonly #options: ConnectionOptions;
  readonly #signal: AbortSignal | undefined;
  /** By address. */
  readonly #open = new Map<string, { readonly connection: Connection; readonly ready: Promise<void> }>();
  /** By the broker's id. */
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map();

  private constructor(
    library: typeof Library,
    bootstrap: readonly BrokerAddress[],
    options: ConnectionOptions,
    signal: AbortSignal | undefined,
  ) {
    this.#library = library;
    this.#bootstrap = bootstrap;
    this.#options = options;
    this.#signal = signal;
  }

  /** Connects to nobody yet. @param signal ends waiting for answers. @throws MoraineError `INVALID_ARGUMENT` */
  static async open(access: KafkaAccess, signal: AbortSignal | undefined): Promise<ClusterConnections> {
    const bootstrap = access.brokers.map(brokerAddress);
    if (bootstrap.length === 0) throw new MoraineError('INVALID_ARGUMENT', 'No broker of Kafka is given.');
    const tls = await tlsOptions(access.tls);
    const library = await import('@platformatic/kafka');
    await completeCodecs(library);
    const options: ConnectionOptions = { connectTimeout: CONNECT_MS };
    if (tls !== undefined) options.tls = tls;
    if (access.sasl !== undefined) options.sasl = { ...access.sasl };
    return new ClusterConnections(library, bootstrap, options, signal);
  }

  /** Takes the addresses of brokers from the cluster's metadata. */
  learn(brokers: ReadonlyMap<number, BrokerAddress>): void {
    this.#brokers = brokers;
  }

  /**
   * Asks one broker.
   * @param what was asked for, for messages
   * @param limitMs milliseconds in which the answer has to come
   * @throws MoraineError as {@link kafkaError}; `CANCELLED`
   */
  async ask<T>(node: number, what: string, request: KafkaRequest<T>, limitMs = CALL_MS): Promise<T> {
    const address = this.#brokers.get(node);
    if (address === undefined)
      throw new MoraineError('KAFKA_UNAVAILABLE', `The cluster's metadata has no broker ${node} to ask about ${what}.`);
    return await this.#askAt(address, what, request, limitMs);
  }

  /** Asks the brokers that were given, one after the other, until one answers. @throws as {@link ask} */
  async askAny<T>(what: string, request: KafkaRequest<T>): Promise<T> {
    let failure: unknown;
    for (const address of [...this.#bootstrap, ...this.#brokers.values()]) {
      try {
        return await this.#askAt(address, what, request);
      } catch (error) {
        if (!isMoraineError(error, 'KAFKA_UNAVAILABLE')) throw error;
        failure ??= error;
      }
    }
    throw failure;
  }

  /** Closes all connections: the next requests open new ones. */
  reset(): void {
    for (const { connection } of this.#open.values())
      (connection.socket as typeof connection.socket | undefined)?.destroy();
    this.#open.clear();
  }

  async #askAt<T>(address: BrokerAddress, what: string, request: KafkaRequest<T>, limitMs = CALL_MS): Promise<T> {
    const { host, port } = address;
    const late = () =>
      new MoraineError(
        'KAFKA_UNAVAILABLE',
        `The broker ${host}:${port} gave no answer about ${what} for ${limitMs / 1000} s.`,
      );
    const answer = async (): Promise<T> => await request(await this.#connection(address), this.#library);
    try {
      return await unlessAborted(withinTime(answer(), limitMs, late), this.#signal);
    } catch (error) {
      throw kafkaError(error, what);
    }
  }

  async #connection(address: BrokerAddress): Promise<Connection> {
    const key = `${address.host}:${address.port}`;
    let open = this.#open.get(key);
    if (open === undefined) {
      const connection = new this.#library.Connection(CLIENT_ID, this.#options);
      // Requests that wait are told; without a listener it would end the process.
      connection.on('error', () => undefined);
      open = { connection, ready: this.#connect(connection, address) };
      this.#open.set(key, open);
    }
    await open.ready;
    return open.connection;
  }

  async #connect(connection: Connection, { host, port }: BrokerAddress): Promise<void> {
    const connected = connection.connect(host, port);
    await new Promise<void>((resolve, reject) => {
      Promise.resolve(connected).then(resolve, reject);
      // One that is closed while it connects would not say so.
      connection.socket.once('close', () => reject(new this.#library.NetworkError('Connection closed')));
    });
    const { apiKeys } = await this.#library.apiVersionsV3.api.async(connection, CLIENT_ID, '1');
    for (const [name, { api }] of Object.entries(requestsOf(this.#library))) {
      const known = apiKeys.find(({ apiKey }) => apiKey === api.key);
      if (known !== undefined && known.minVersion <= api.version && api.version <= known.maxVersion) continue;
      const has = known === undefined ? 'does not know it' : `knows ${known.minVersion} to ${known.maxVersion}`;
      throw new MoraineError(
        'UNSUPPORTED_FEATURE',
        `The broker ${host}:${port} is asked by version ${api.version} of ${name} and ${has}: Kafka 3.6 or later is read.`,
      );
    }
  }
}

/** The requests of a sink, in the versions that are used: of them all, Kafka 3.6 is the first that knows them. */
export const requestsOf = (library: typeof Library) => ({
  Metadata: library.metadataV12,
  ListOffsets: library.listOffsetsV8,
  OffsetForLeaderEpoch: library.offsetForLeaderEpochV4,
  Fetch: library.fetchV13,
});
