/** Reading the bytes of an Avro file. */

/** The bytes end before what they announce. */
export class TruncatedError extends Error {
  constructor() {
    super('it is truncated');
  }
}

/** A position in the file that refuses to pass its end. */
export class Cursor {
  private readonly bytes: Uint8Array;
  /** Offset of the next byte. */
  position = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  take(length: number): Uint8Array {
    if (length < 0 || length > this.bytes.length - this.position) throw new TruncatedError();
    const start = this.position;
    this.position += length;
    return this.bytes.subarray(start, this.position);
  }

  long(): number {
    let zigzag = 0;
    for (let factor = 1; ; factor *= 128) {
      const [byte = 0] = this.take(1);
      zigzag += (byte & 0x7f) * factor;
      if (!(byte & 0x80)) return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
      if (factor > 2 ** 63) throw new Error('it has a number of more than ten bytes');
    }
  }

  text(): string {
    return Buffer.from(this.take(this.long())).toString('utf8');
  }
}
