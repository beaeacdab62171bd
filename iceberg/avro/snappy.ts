/** Decompression of Snappy blocks. Source: "Snappy compressed format description", of the Snappy project. */

/** An element makes at most 64 bytes of two: a claim beyond that is no Snappy. */
const MAX_RATIO = 64;

/**
 * The bytes of one raw block.
 * @param maxBytes the largest result allowed
 * @param tooLarge makes the error for a larger one
 * @throws Error when the block is damaged
 */
export function decompressSnappy(block: Uint8Array, maxBytes: number, tooLarge: () => Error): Uint8Array {
  const { value: length, end } = uncompressedLength(block);
  if (length > maxBytes) throw tooLarge();
  if (length > block.length * MAX_RATIO) throw broken();
  const output = Buffer.allocUnsafe(length);
  let read = end;
  let written = 0;
  while (read < block.length) {
    const tag = block[read++] as number;
    if ((tag & 3) === 0) {
      let size = (tag >> 2) + 1;
      const sizeBytes = size - 60;
      if (sizeBytes > 0) {
        size = littleEndian(block, read, sizeBytes) + 1;
        read += sizeBytes;
      }
      if (size > block.length - read || size > length - written) throw broken();
      output.set(block.subarray(read, read + size), written);
      read += size;
      written += size;
    } else {
      const { size, offset, bytes } = copyElement(block, read, tag);
      read += bytes;
      if (offset === 0 || offset > written || size > length - written) throw broken();
      // A copy may reach into what it writes: it repeats.
      if (offset >= size) output.copyWithin(written, written - offset, written - offset + size);
      else for (let at = written; at < written + size; at++) output[at] = output[at - offset] as number;
      written += size;
    }
  }
  if (written !== length) throw broken();
  return output;
}

function uncompressedLength(block: Uint8Array): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = block[index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: index + 1 };
  }
  throw broken();
}

/** A reference to earlier output; `bytes` are those after the tag. */
interface CopyElement {
  readonly size: number;
  readonly offset: number;
  readonly bytes: number;
}

function copyElement(block: Uint8Array, at: number, tag: number): CopyElement {
  if ((tag & 3) === 1) {
    return { size: ((tag >> 2) & 7) + 4, offset: ((tag >> 5) << 8) | littleEndian(block, at, 1), bytes: 1 };
  }
  const bytes = (tag & 3) === 2 ? 2 : 4;
  return { size: (tag >> 2) + 1, offset: littleEndian(block, at, bytes), bytes };
}

function littleEndian(block: Uint8Array, at: number, bytes: number): number {
  if (bytes > block.length - at) throw broken();
  let value = 0;
  for (let index = bytes - 1; index >= 0; index--) value = value * 256 + (block[at + index] as number);
  return value;
}

function broken(): Error {
  return new Error('a block is no Snappy');
}
