/** Record batches as an Arrow IPC stream, batch by batch. */
import { type RecordBatch, RecordBatchStreamWriter } from 'apache-arrow';
import type { Schema } from '../../iceberg/index.js';
import { arrowSchema } from './arrow-types.js';

/** Encodes one stream: `head`, any number of `encode`, `tail`. */
export class ArrowEncoder {
  readonly #writer = new CollectingWriter();
  readonly #schema: Schema;

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  /** The schema message. */
  head(): Uint8Array {
    this.#writer.reset(undefined, arrowSchema(this.#schema));
    return this.#writer.take();
  }

  encode(batch: RecordBatch): Uint8Array {
    this.#writer.write(batch);
    return this.#writer.take();
  }

  /** The end-of-stream mark. */
  tail(): Uint8Array {
    this.#writer.finish();
    return this.#writer.take();
  }
}

/** The library's writer, with its bytes taken out at once instead of through an asynchronous queue. */
class CollectingWriter extends RecordBatchStreamWriter {
  #parts: Uint8Array[] = [];

  take(): Uint8Array {
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    return bytes;
  }

  protected override _write(chunk: ArrayBufferView | ArrayBuffer | Uint8Array): this {
    const bytes = ArrayBuffer.isView(chunk)
      ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      : new Uint8Array(chunk);
    if (bytes.byteLength > 0) {
      this.#parts.push(bytes.slice());
      this._position += bytes.byteLength;
    }
    return this;
  }
}
