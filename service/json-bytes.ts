/** JSON as it is written: bytes of UTF-8, without strings in between where values are bytes or numbers. */

const ZERO = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
/** Digits of a safe integer, with its sign. */
const MOST_DIGITS = 17;
const LARGEST_INT = 0x7fffffff;

/** Memory that answers are written into one after the other: a buffer for each of them would keep the garbage collector busy. */
const SLAB_BYTES = 2 ** 20;
let slab = Buffer.allocUnsafe(SLAB_BYTES);
let used = 0;

/** One text. It has to be finished before another one is begun. */
export class JsonBytes {
  #bytes = slab;
  #start = used;
  #length = used;

  /** What was written. Nothing may be written afterwards. */
  finish(): Buffer {
    slab = this.#bytes;
    used = this.#length;
    return this.#bytes.subarray(this.#start, this.#length);
  }

  /** How much was written. */
  get length(): number {
    return this.#length - this.#start;
  }

  /** Writes again what was written between two lengths. */
  again(from: number, to: number): void {
    this.#reserve(to - from);
    this.#bytes.copyWithin(this.#length, this.#start + from, this.#start + to);
    this.#length += to - from;
  }

  /** Text of ASCII characters, as it is. */
  ascii(text: string): void {
    this.#reserve(text.length);
    this.#length += this.#bytes.write(text, this.#length, 'latin1');
  }

  /** Text, as it is. */
  text(text: string): void {
    this.#reserve(text.length * 3);
    this.#length += this.#bytes.write(text, this.#length);
  }

  /** Bytes, as they are. */
  bytes(source: Uint8Array): void {
    const { length } = source;
    this.#reserve(length);
    if (length > 64) this.#bytes.set(source, this.#length);
    else for (let at = 0; at < length; at += 1) this.#bytes[this.#length + at] = source[at] as number;
    this.#length += length;
  }

  /**
   * Text in UTF-8, in quotes.
   * @returns whether it was written: not if a character has to be escaped
   */
  quoted(source: Uint8Array, start: number, end: number): boolean {
    this.#reserve(end - start + 2);
    const bytes = this.#bytes;
    let to = this.#length;
    bytes[to++] = QUOTE;
    for (let at = start; at < end; at += 1) {
      const byte = source[at] as number;
      if (byte < FIRST_PRINTABLE || byte === QUOTE || byte === BACKSLASH) return false;
      bytes[to++] = byte;
    }
    bytes[to++] = QUOTE;
    this.#length = to;
    return true;
  }

  /** @param value a safe integer */
  integer(value: number): void {
    this.#reserve(MOST_DIGITS);
    let rest = value;
    if (rest < 0) {
      this.#bytes[this.#length++] = MINUS;
      rest = -rest;
    }
    this.digits(rest, digitsOf(rest));
  }

  /** A number with a point. @param whole a safe integer that is not negative. @param fraction its decimals, as an integer of so many places */
  decimal(isNegative: boolean, whole: number, fraction: number, places: number): void {
    this.#reserve(MOST_DIGITS);
    if (isNegative) this.#bytes[this.#length++] = MINUS;
    this.digits(whole, digitsOf(whole));
    this.#reserve(1);
    this.#bytes[this.#length++] = POINT;
    this.digits(fraction, places);
  }

  /** The same bytes so many times, with commas between them. @param withComma the bytes and a comma */
  repeat(withComma: Uint8Array, count: number): void {
    const length = count * withComma.length - 1;
    this.#reserve(length);
    this.#bytes.fill(withComma, this.#length, this.#length + length);
    this.#length += length;
  }

  /** @param value a safe integer that is not negative. @param count digits; zeros are written before it */
  digits(value: number, count: number): void {
    this.#reserve(count);
    const bytes = this.#bytes;
    let rest = value;
    let at = this.#length + count;
    const start = this.#length;
    for (; rest > LARGEST_INT; at -= 1) {
      const tenth = Math.floor(rest / 10);
      bytes[at - 1] = ZERO + (rest - tenth * 10);
      rest = tenth;
    }
    for (let small = rest | 0; at > start; at -= 1) {
      const tenth = (small / 10) | 0;
      bytes[at - 1] = ZERO + (small - tenth * 10);
      small = tenth;
    }
    this.#length += count;
  }

  #reserve(more: number): void {
    if (this.#length + more > this.#bytes.length) this.#move(more);
  }

  /** Goes on in another slab. */
  #move(more: number): void {
    const length = this.length;
    const larger = Buffer.allocUnsafe(Math.max(SLAB_BYTES, 2 * (length + more)));
    this.#bytes.copy(larger, 0, this.#start, this.#length);
    this.#bytes = larger;
    this.#start = 0;
    this.#length = length;
  }
}

function digitsOf(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count += 1;
  return count;
}
