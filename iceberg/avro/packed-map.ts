/**
 * Statistics of a data file, left in their Avro bytes until somebody looks: planning asks for the few columns of a filter, and
 * copying a manifest for none, while making the maps of 10,000 files costs more than all the rest of reading them.
 */

/** How the packed pairs of one Avro type are read. */
export interface PairsFormat {
  readonly valueKind: 'long' | 'bytes';
  unpack(bytes: Uint8Array): ReadonlyMap<number, unknown>;
}

/** A read-only map that reads its entries when first used. */
export class PackedMap<V> implements ReadonlyMap<number, V> {
  readonly format: PairsFormat;
  private readonly block: Uint8Array;
  private readonly start: number;
  private readonly end: number;
  private map: ReadonlyMap<number, V> | undefined;

  /** @param block holds, from `start` to `end`, one whole Avro array with its counts and the closing zero */
  constructor(format: PairsFormat, block: Uint8Array, start: number, end: number) {
    this.format = format;
    this.block = block;
    this.start = start;
    this.end = end;
    this.map = undefined;
  }

  /** The Avro bytes. */
  get bytes(): Uint8Array {
    return this.block.subarray(this.start, this.end);
  }

  private get unpacked(): ReadonlyMap<number, V> {
    this.map ??= this.format.unpack(this.bytes) as ReadonlyMap<number, V>;
    return this.map;
  }

  get size(): number {
    return this.unpacked.size;
  }

  get(key: number): V | undefined {
    return this.unpacked.get(key);
  }

  has(key: number): boolean {
    return this.unpacked.has(key);
  }

  forEach(each: (value: V, key: number, map: ReadonlyMap<number, V>) => void): void {
    this.unpacked.forEach(each);
  }

  entries(): MapIterator<[number, V]> {
    return this.unpacked.entries();
  }

  keys(): MapIterator<number> {
    return this.unpacked.keys();
  }

  values(): MapIterator<V> {
    return this.unpacked.values();
  }

  [Symbol.iterator](): MapIterator<[number, V]> {
    return this.entries();
  }
}
