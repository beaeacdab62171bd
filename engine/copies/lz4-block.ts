/**
 * Decompression of LZ4 as Hadoop frames it, which Parquet's deprecated codec LZ4 means.
 * Source: LZ4 block format description; Apache Parquet format, "Compression", LZ4.
 */

/**
 * The bytes of one page.
 * @param length of the result
 * @throws Error when the page is damaged
 */
export function decompressHadoopPage(page: Buffer, length: number): Buffer {
  const output = Buffer.allocUnsafe(length);
  try {
    if (framed(page, output)) return output;
  } catch {
    // Some writers left out the frame: then it is one bare block.
  }
  if (block(page, output, 0) !== length) throw broken();
  return output;
}

/** Frames: the length of some output (big-endian, as all here), then blocks, each after its own length, until they have given it. */
function framed(page: Buffer, output: Buffer): boolean {
  let read = 0;
  let written = 0;
  const length = (): number => {
    const value = page.readUInt32BE(read);
    read += 4;
    return value;
  };
  while (read < page.length) {
    const end = written + length();
    if (end > output.length) throw broken();
    while (written < end) {
      const size = length();
      if (size > page.length - read) throw broken();
      const before = written;
      written = block(page.subarray(read, read + size), output.subarray(0, end), written);
      if (written === before) throw broken();
      read += size;
    }
  }
  return written === output.length;
}

const MIN_MATCH = 4;

/** Decompresses a bare block into the output from `written`; the position after it. */
function block(input: Uint8Array, output: Buffer, written: number): number {
  let read = 0;
  let end = written;
  const more = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; length += byte) {
      byte = input[read++] ?? Number.NaN;
    }
    return length;
  };
  while (read < input.length) {
    const token = input[read++] as number;
    const literals = more(token >> 4);
    if (!(literals <= input.length - read && literals <= output.length - end)) throw broken();
    output.set(input.subarray(read, read + literals), end);
    read += literals;
    end += literals;
    // The last sequence is literals alone.
    if (read === input.length) return end;
    if (input.length - read < 2) throw broken();
    const offset = (input[read] as number) | ((input[read + 1] as number) << 8);
    read += 2;
    const size = more(token & 15) + MIN_MATCH;
    if (offset === 0 || offset > end || !(size <= output.length - end)) throw broken();
    // A match may reach into what it writes: it repeats.
    if (offset >= size) output.copyWithin(end, end - offset, end - offset + size);
    else for (let at = end; at < end + size; at += 1) output[at] = output[at - offset] as number;
    end += size;
  }
  return end;
}

function broken(): Error {
  return new Error('a page is no LZ4');
}
