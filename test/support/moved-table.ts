/** Projects with two catalogs between which tables move, and what must hold afterwards. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, inflateRawSync } from 'node:zlib';
import { decompress } from 'fzstd';
import { onTestFinished } from 'vitest';
import { createMoraine, type Moraine } from '../../index.js';

/** Opens a project whose catalogs `old` and `new` keep their tables in folders of these names. @param locations as `storage.locations` */
export async function openTwoCatalogs(
  folder: string,
  locations: Readonly<Record<string, string>> = {},
): Promise<Moraine> {
  const moraine = await createMoraine({
    cwd: folder,
    config: {
      catalogs: {
        old: { uri: 'old.db', warehouse: 'old' },
        new: { uri: 'new.db', warehouse: 'new' },
      },
      catalog: 'old',
      storage: { roots: ['old', 'new'], locations },
      engine: { threads: 1 },
    },
    fileFolders: [folder],
  });
  onTestFinished(() => moraine.close());
  return moraine;
}

/** Every file below a folder, as an absolute path. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** The files below a folder that hold a text: as they are, or in their decompressed blocks if they are Avro or gzip. */
export function filesWith(folder: string, text: string): readonly string[] {
  const wanted = Buffer.from(text);
  return filesBelow(folder).filter((path) => contents(readFileSync(path)).some((bytes) => bytes.includes(wanted)));
}

function contents(bytes: Buffer): readonly Buffer[] {
  if (bytes.subarray(0, 4).toString('latin1') === 'Obj\u0001') return [bytes, ...avroBlocks(bytes)];
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? [bytes, gunzipSync(bytes)] : [bytes];
}

/** The blocks of an Avro file, read independently of the code under test. Source: Apache Avro specification, "Object Container Files". */
function avroBlocks(bytes: Buffer): readonly Buffer[] {
  let at = 4;
  const long = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
    }
  };
  const take = (): Buffer => {
    const length = long();
    at += length;
    return bytes.subarray(at - length, at);
  };
  let codec = 'null';
  for (let count = long(); count !== 0; count = long()) {
    for (let left = count; left > 0; left--) {
      const key = take().toString();
      const value = take().toString();
      if (key === 'avro.codec') codec = value;
    }
  }
  at += 16;
  const blocks: Buffer[] = [];
  while (at < bytes.length) {
    long();
    const block = take();
    at += 16;
    if (codec === 'deflate') blocks.push(inflateRawSync(block));
    else blocks.push(codec === 'zstandard' ? Buffer.from(decompress(block)) : block);
  }
  return blocks;
}
