/** One connection to a Hive metastore: calls of Thrift's binary protocol, one at a time, each sent once. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type * as ThriftLibrary from 'thrift';
import { HiveFailure } from './hive-failure.js';
import { SOCKET_TIMEOUT } from './hive-options.js';
import { type Fields, readFields, structOf, TYPE, textOf, type Value, writeFields } from './thrift-values.js';

type Thrift = Pick<typeof ThriftLibrary, 'TBinaryProtocol' | 'TBufferedTransport'>;

const MESSAGE = { call: 1, reply: 2, exception: 3 } as const;
/** Thrift's `TApplicationException` of a server that does not know a method. */
const UNKNOWN_METHOD = 1;
const CONNECT_MS = 10_000;
/** An answer that is larger is not read. */
const LARGEST_ANSWER = 256 * 2 ** 20;

/** Where a metastore listens. */
export interface HiveAddress {
  readonly host: string;
  readonly port: number;
}

export class HiveConnection {
  readonly #thrift: Thrift;
  readonly #socket: Socket;
  readonly #answerMs: number;
  #sequence = 0;

  private constructor(thrift: Thrift, socket: Socket, answerMs: number) {
    this.#thrift = thrift;
    this.#socket = socket;
    this.#answerMs = answerMs;
    // What is not asked for says that the connection is gone, which the next call finds out.
    socket.on('error', () => undefined);
  }

  /** @param answerMs within which the whole answer to a call must have come */
  static async open({ host, port }: HiveAddress, answerMs: number): Promise<HiveConnection> {
    const thrift = (await import('thrift')).default as unknown as Thrift;
    const socket = connect({ host, port, noDelay: true });
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_MS) });
    } catch (cause) {
      socket.destroy();
      throw new HiveFailure('unreached', `nothing answers at ${host}:${port}`, { cause });
    }
    return new HiveConnection(thrift, socket, answerMs);
  }

  /** Whether it can be used again. */
  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.readable && this.#socket.writable;
  }

  close(): void {
    this.#socket.destroy();
  }

  /**
   * Calls a method and gives what it returns; undefined for one that returns nothing.
   * @throws HiveFailure `refused` with the number of the exception, `unknown`; after the latter the connection is closed
   */
  async call(method: string, parameters: Fields): Promise<Value | undefined> {
    this.#sequence += 1;
    try {
      this.#socket.write(this.#message(method, parameters));
      return resultOf(method, await this.#answer());
    } catch (error) {
      if (error instanceof HiveFailure && error.outcome === 'refused') throw error;
      this.close();
      if (error instanceof HiveFailure) throw error;
      throw new HiveFailure('unknown', `the call of ${method} failed: ${this.#reason(error)}`, { cause: error });
    }
  }

  #reason(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    return error.name === 'AbortError' || error.name === 'TimeoutError'
      ? `no answer within ${this.#answerMs / 1000} s (option ${SOCKET_TIMEOUT})`
      : error.message;
  }

  #message(method: string, parameters: Fields): Buffer {
    const written: Buffer[] = [];
    const transport = new this.#thrift.TBufferedTransport(undefined, (bytes) => written.push(bytes ?? Buffer.alloc(0)));
    const protocol = new this.#thrift.TBinaryProtocol(transport);
    protocol.writeMessageBegin(method, MESSAGE.call, this.#sequence);
    writeFields(protocol, parameters);
    protocol.writeMessageEnd();
    protocol.flush();
    return Buffer.concat(written);
  }

  /** Bytes arrive in pieces: each time it is tried whether they are the whole answer. */
  async #answer(): Promise<Answer> {
    let bytes = Buffer.alloc(0);
    const deadline = AbortSignal.timeout(this.#answerMs);
    for (;;) {
      const piece = await this.#piece(deadline);
      bytes = Buffer.concat([bytes, piece]);
      if (bytes.length > LARGEST_ANSWER) throw new Error(`its answer has more than ${LARGEST_ANSWER} bytes`);
      const answer = this.#parsed(bytes);
      if (answer !== null) return answer;
    }
  }

  async #piece(signal: AbortSignal): Promise<Buffer> {
    for (;;) {
      const piece = this.#socket.read() as Buffer | null;
      if (piece !== null) return piece;
      if (!this.isOpen) throw this.#socket.errored ?? new Error('the connection was closed');
      const waiting = new AbortController();
      try {
        const either = AbortSignal.any([signal, waiting.signal]);
        const ended = ['end', 'close'].map(async (event) => void (await once(this.#socket, event, { signal: either })));
        await Promise.race([once(this.#socket, 'readable', { signal: either }), ...ended]);
      } finally {
        waiting.abort();
      }
    }
  }

  /** Null for the beginning of an answer. */
  #parsed(bytes: Buffer): Answer | null {
    const transport = new this.#thrift.TBufferedTransport();
    Object.assign(transport, { inBuf: bytes, writeCursor: bytes.length });
    const protocol = new this.#thrift.TBinaryProtocol(transport);
    try {
      const { mtype, rseqid } = protocol.readMessageBegin();
      const fields = readFields(protocol);
      if (rseqid !== this.#sequence) throw new Error('it answered another call');
      return { isException: (mtype as number) === MESSAGE.exception, fields };
    } catch (error) {
      if (error instanceof Error && error.name === 'InputBufferUnderrunError') return null;
      throw error;
    }
  }
}

interface Answer {
  readonly isException: boolean;
  readonly fields: Fields;
}

/** Field 0 is the result, the others are exceptions, whose first field is the message. */
function resultOf(method: string, { isException, fields }: Answer): Value | undefined {
  if (isException) {
    const kind = fields.get(2);
    const isUnknownMethod = kind?.type === TYPE.i32 && kind.value === UNKNOWN_METHOD;
    const message = textOf(fields.get(1)) ?? 'without a reason';
    throw new HiveFailure(isUnknownMethod ? 'refused' : 'unknown', `${method} failed: ${message}`, { isUnknownMethod });
  }
  for (const [number, exception] of fields) {
    if (number === 0) continue;
    const message = textOf(structOf(exception).get(1)) ?? 'without a reason';
    throw new HiveFailure('refused', message, { exception: number });
  }
  return fields.get(0);
}
