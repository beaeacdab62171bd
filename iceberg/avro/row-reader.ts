/**
 * Reading the rows of an Avro data or delete file block by block: a block and some rows are in memory at a time.
 * Source: Apache Avro specification 1.12, "Object Container Files".
 */
import { type ErrorCode, MoraineError } from '../../errors/index.js';
import {
  type AvroLimits,
  DEFAULT_AVRO_LIMITS,
  decompressBlock,
  errorInFile,
  type RawHeader,
  readHeader,
  requireCodec,
  SYNC_BYTES,
} from './container.js';
import { Cursor, TruncatedError } from './cursor.js';
import { type AvroRecord, type AvroRecordSchema, recordSchema } from './datum.js';

/** The bytes of a file. */
export interface ByteSource {
  readonly size: number;
  /** The bytes from `position`: as many as asked for, or fewer where the file ends. */
  read(position: number, length: number): Promise<Uint8Array>;
}

/** Which file is read, for errors. */
export interface AvroOrigin {
  readonly location: string;
  /** The code for damage. */
  readonly damaged: ErrorCode;
}

/** Rows decoded at one time. */
export type AvroRows = readonly AvroRecord[];

const FIRST_HEADER_BYTES = 64 * 1024;
/** Schemas of thousands of columns take a megabyte. */
const MAX_HEADER_BYTES = 64 * 2 ** 20;
const READ_AHEAD_BYTES = 1 << 20;
/** The count and the length before a block. */
const BLOCK_PREFIX_BYTES = 20;
const ROWS_AT_ONCE = 2048;

/** An Avro file whose header has been read. */
export class AvroRowReader {
  readonly #source: ByteSource;
  readonly #origin: AvroOrigin;
  readonly #header: RawHeader;
  readonly #schema: AvroRecordSchema;
  readonly #bodyStart: number;

  private constructor(source: ByteSource, origin: AvroOrigin, header: RawHeader, bodyStart: number) {
    this.#schema = recordSchema(header.schemaText);
    this.#source = source;
    this.#origin = origin;
    this.#header = header;
    this.#bodyStart = bodyStart;
  }

  /**
   * Reads the header.
   * @throws MoraineError of the origin's code for a header that is damaged or names no codec; UNSUPPORTED_FEATURE for a codec that
   *   is not read
   */
  static async open(source: ByteSource, origin: AvroOrigin): Promise<AvroRowReader> {
    return await named(origin, async () => {
      for (let length = FIRST_HEADER_BYTES; ; length *= 4) {
        const cursor = new Cursor(await source.read(0, Math.min(length, source.size)));
        try {
          const header = readHeader(cursor);
          requireCodec(header.codec);
          return new AvroRowReader(source, origin, header, cursor.position);
        } catch (error) {
          if (!(error instanceof TruncatedError) || length >= source.size) throw error;
          if (length >= MAX_HEADER_BYTES) throw new MoraineError('LIMIT_EXCEEDED', 'Its header is too large.');
        }
      }
    });
  }

  /** The schema of the rows: a record. */
  get schema(): AvroRecordSchema['node'] {
    return this.#schema.node;
  }

  /**
   * The rows, in order.
   * @throws MoraineError of the origin's code for damaged blocks, LIMIT_EXCEEDED for a block over the limits
   */
  async *rows(limits: Pick<AvroLimits, 'maxBlockBytes'> = DEFAULT_AVRO_LIMITS): AsyncGenerator<AvroRows> {
    const window = new Window(this.#source, this.#bodyStart);
    const { datum } = this.#schema;
    for (;;) {
      const block = await named(this.#origin, () => this.#nextBlock(window, limits.maxBlockBytes));
      if (block === undefined) return;
      let position = 0;
      for (let left = block.count; left > 0; ) {
        const count = Math.min(left, ROWS_AT_ONCE);
        left -= count;
        yield await named(this.#origin, async () => {
          const rows: AvroRecord[] = [];
          for (let index = 0; index < count; index++) {
            const { value, end } = datum.decode(block.bytes, position);
            if (end <= position) throw new Error('a record of no length');
            position = end;
            rows.push(value as AvroRecord);
          }
          if (left === 0 && position !== block.bytes.length)
            throw new Error('a block holds more bytes than its records');
          return rows;
        });
      }
    }
  }

  async #nextBlock(window: Window, maxBytes: number): Promise<{ count: number; bytes: Buffer } | undefined> {
    const prefix = new Cursor(await window.peek(BLOCK_PREFIX_BYTES));
    if (prefix.atEnd()) return undefined;
    const count = prefix.long();
    const length = prefix.long();
    if (length < 0 || count < 0) throw new Error('a block has a negative length');
    window.skip(prefix.position);
    if (length + SYNC_BYTES > window.left) throw new TruncatedError();
    if (length > maxBytes) {
      throw new MoraineError('LIMIT_EXCEEDED', `A block claims ${length} bytes, more than ${maxBytes}.`);
    }
    const stored = await window.take(length + SYNC_BYTES);
    if (!Buffer.from(stored.subarray(length)).equals(this.#header.sync)) {
      throw new Error('a block does not end with the sync marker');
    }
    const bytes = decompressBlock(this.#header.codec, stored.subarray(0, length), maxBytes);
    if (count > bytes.length) throw new Error(`a block of ${bytes.length} bytes claims ${count} records`);
    return { count, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) };
  }
}

/** A buffered position in a file. */
class Window {
  readonly #source: ByteSource;
  #position: number;
  #buffer: Uint8Array = new Uint8Array(0);
  /** Offset of the position in the buffer. */
  #start = 0;

  constructor(source: ByteSource, position: number) {
    this.#source = source;
    this.#position = position;
  }

  /** Bytes from here to the end of the file. */
  get left(): number {
    return this.#source.size - this.#position;
  }

  /** The next bytes, fewer at the end of the file. */
  async peek(length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.left);
    if (this.#buffer.length - this.#start < wanted) {
      this.#buffer = await this.#source.read(this.#position, Math.min(Math.max(wanted, READ_AHEAD_BYTES), this.left));
      this.#start = 0;
      if (this.#buffer.length < wanted) throw new TruncatedError();
    }
    return this.#buffer.subarray(this.#start, this.#start + wanted);
  }

  skip(length: number): void {
    this.#start += length;
    this.#position += length;
  }

  /** The next bytes, and the position after them. The file must have them. */
  async take(length: number): Promise<Uint8Array> {
    const bytes = await this.peek(length);
    this.skip(length);
    return bytes;
  }
}

async function named<T>(origin: AvroOrigin, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw errorInFile(origin.location, error, origin.damaged);
  }
}
