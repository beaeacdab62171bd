/**
 * Reading a Parquet file with the deprecated codec LZ4 (Hadoop's frames), which DuckDB refuses, as a copy without compression: its
 * pages are decompressed one by one, values are not looked at. Source: Apache Parquet format, parquet.thrift.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { HADOOP_LZ4 } from '../parquet/parquet-footer.js';
import { type Change, changed, i64, integerOf, listOf, numberOf } from '../parquet/thrift-fields.js';
import {
  I32,
  readThrift,
  ShortThriftError,
  type ThriftStruct,
  type ThriftValue,
  writeThrift,
} from '../parquet/thrift-tree.js';
import { readBytes, readFooter } from '../parquet/zoned-nanoseconds.js';
import { decompressHadoopPage } from './lz4-block.js';

const MAGIC = Buffer.from('PAR1', 'latin1');
const UNCOMPRESSED = 0n;
/** Field ids of parquet.thrift. */
const FILE = { rowGroups: 4 } as const;
const GROUP = { columns: 1, fileOffset: 5, compressedBytes: 6 } as const;
const CHUNK = { fileOffset: 2, meta: 3, offsetIndex: [4, 5], columnIndex: [6, 7] } as const;
const META = { codec: 4, compressedBytes: 7, dataPage: 9, indexPage: 10, dictionaryPage: 11, bloom: [14, 15] } as const;
const PAGE = { type: 1, bytes: 2, compressedBytes: 3, crc: 4, v2: 8 } as const;
const V2 = { definitionBytes: 5, repetitionBytes: 6, isCompressed: 7 } as const;
const DICTIONARY_PAGE = 2n;

const HEADER_BYTES = 8 * 1024;
const MAX_HEADER_BYTES = 16 * 2 ** 20;
const MAX_PAGE_BYTES = 512 * 2 ** 20;
const COPY_BYTES = 4 * 2 ** 20;
/** LZ4 makes at most 255 bytes of one. */
const MAX_RATIO = 256;

/**
 * Writes the copy.
 * @param throwIfAborted called between pages
 * @throws DATA_FILE_CORRUPT, LIMIT_EXCEEDED; they name no file. What the file system throws
 */
export async function decompressHadoopLz4(path: string, copy: string, throwIfAborted: () => void): Promise<void> {
  const input = await open(path, 'r');
  try {
    const output = await open(copy, 'wx', 0o600);
    try {
      await new Transcoder(input, output, throwIfAborted).run();
    } finally {
      await output.close();
    }
  } catch (error) {
    if (isMoraineError(error) || (error as NodeJS.ErrnoException).code !== undefined) throw error;
    const reason = (error as Error).message;
    throw new MoraineError('DATA_FILE_CORRUPT', `A data file is damaged: ${reason}.`, { cause: error });
  } finally {
    await input.close();
  }
}

class Transcoder {
  readonly #input: FileHandle;
  readonly #output: FileHandle;
  readonly #throwIfAborted: () => void;
  #written = 0;
  #footerStart = 0;

  constructor(input: FileHandle, output: FileHandle, throwIfAborted: () => void) {
    this.#input = input;
    this.#output = output;
    this.#throwIfAborted = throwIfAborted;
  }

  async run(): Promise<void> {
    const { start, footer } = await readFooter(this.#input);
    this.#footerStart = start;
    await this.#write(MAGIC);
    const file = readThrift(footer).struct;
    const groups: ThriftValue[] = [];
    for (const group of listOf(file, FILE.rowGroups).items) groups.push(await this.#group(group));
    const bytes = writeThrift(changed(file, [[FILE.rowGroups, { ...listOf(file, FILE.rowGroups), items: groups }]]));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    await this.#write(Buffer.concat([bytes, length, MAGIC]));
  }

  async #group(group: ThriftStruct): Promise<ThriftStruct> {
    const columns = listOf(group, GROUP.columns);
    const start = this.#written;
    const items: ThriftValue[] = [];
    for (const column of columns.items) items.push(await this.#chunk(column));
    return changed(group, [
      [GROUP.columns, { ...columns, items }],
      [GROUP.fileOffset, i64(start)],
      [GROUP.compressedBytes, i64(this.#written - start)],
    ]);
  }

  async #chunk(chunk: ThriftStruct): Promise<ThriftStruct> {
    const meta = chunk.fields.get(CHUNK.meta);
    if (meta?.kind !== 'struct') throw new Error('a column has no metadata');
    const dataPage = numberOf(meta, META.dataPage);
    const dictionaryPage = meta.fields.has(META.dictionaryPage) ? numberOf(meta, META.dictionaryPage) : 0;
    const from = dictionaryPage > 0 ? Math.min(dictionaryPage, dataPage) : dataPage;
    const length = numberOf(meta, META.compressedBytes);
    if (from < MAGIC.length || length < 0 || from + length > this.#footerStart) {
      throw new Error('a column lies outside the file');
    }
    const start = this.#written;
    const isLz4 = numberOf(meta, META.codec) === HADOOP_LZ4;
    const pages = isLz4 ? await this.#pages(from, length) : await this.#copyPages(from, length, dataPage);
    const changedMeta = changed(meta, [
      ...(isLz4 ? [[META.codec, { kind: 'integer', type: I32, value: UNCOMPRESSED }] satisfies Change] : []),
      [META.compressedBytes, i64(this.#written - start)],
      [META.dataPage, i64(pages.dataPage)],
      [META.dictionaryPage, pages.hasDictionary ? i64(start) : undefined],
      ...[META.indexPage, ...META.bloom].map((id): Change => [id, undefined]),
    ]);
    // Page indexes and bloom filters stay behind: they only save reading.
    const indexes = [...CHUNK.offsetIndex, ...CHUNK.columnIndex].map((id): Change => [id, undefined]);
    return changed(chunk, [[CHUNK.fileOffset, i64(start)], [CHUNK.meta, changedMeta], ...indexes]);
  }

  /** A chunk of another codec as it is. */
  async #copyPages(from: number, length: number, dataPage: number): Promise<Pages> {
    const start = this.#written;
    for (let done = 0; done < length; done += COPY_BYTES) {
      await this.#write(await readBytes(this.#input, from + done, Math.min(COPY_BYTES, length - done)));
    }
    return { dataPage: start + dataPage - from, hasDictionary: dataPage > from };
  }

  async #pages(from: number, length: number): Promise<Pages> {
    let dataPage: number | undefined;
    let hasDictionary = false;
    for (let at = from; at < from + length; ) {
      this.#throwIfAborted();
      const { header, bytes } = await this.#pageHeader(at, from + length - at);
      const size = numberOf(header, PAGE.compressedBytes);
      if (size < 0 || at + bytes + size > from + length) throw new Error('a page lies outside its column');
      const page = await readBytes(this.#input, at + bytes, size);
      at += bytes + size;
      if (integerOf(header, PAGE.type) === DICTIONARY_PAGE) hasDictionary = true;
      else dataPage ??= this.#written;
      await this.#page(header, page);
    }
    if (dataPage === undefined) throw new Error('a column has no data page');
    return { dataPage, hasDictionary };
  }

  async #page(header: ThriftStruct, page: Buffer): Promise<void> {
    const crc = header.fields.get(PAGE.crc);
    if (crc?.kind === 'integer' && BigInt.asUintN(32, crc.value) !== BigInt(crc32(page))) {
      throw new Error('the checksum of a page is wrong');
    }
    const body = decompressPage(header, page);
    const plain: Change[] = [
      [PAGE.compressedBytes, { kind: 'integer', type: I32, value: BigInt(body.length) }],
      [PAGE.crc, undefined],
    ];
    await this.#write(writeThrift(changed(header, plain)));
    await this.#write(body);
  }

  async #pageHeader(at: number, left: number): Promise<{ header: ThriftStruct; bytes: number }> {
    for (let length = HEADER_BYTES; ; length *= 8) {
      const wanted = Math.min(length, left);
      try {
        const { struct, end } = readThrift(await readBytes(this.#input, at, wanted));
        return { header: struct, bytes: end };
      } catch (error) {
        if (!(error instanceof ShortThriftError) || wanted === left || length >= MAX_HEADER_BYTES) throw error;
      }
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      done += (await this.#output.write(bytes, done)).bytesWritten;
    }
    this.#written += bytes.length;
  }
}

interface Pages {
  /** Offset of the first data page in the copy. */
  readonly dataPage: number;
  readonly hasDictionary: boolean;
}

/** The levels of a page of version 2 precede its values, and are never compressed. */
function decompressPage(header: ThriftStruct, page: Buffer): Buffer {
  const length = numberOf(header, PAGE.bytes);
  const v2 = header.fields.get(PAGE.v2);
  const levels = v2?.kind === 'struct' ? numberOf(v2, V2.definitionBytes) + numberOf(v2, V2.repetitionBytes) : 0;
  const isCompressed = v2?.kind === 'struct' ? v2.fields.get(V2.isCompressed) : undefined;
  if (isCompressed?.kind === 'boolean' && !isCompressed.value) return page;
  const packed = page.length - levels;
  const values = length - levels;
  if (levels < 0 || packed < 0 || values < 0 || values > packed * MAX_RATIO)
    throw new Error('a page has a wrong length');
  if (length > MAX_PAGE_BYTES) {
    throw new MoraineError('LIMIT_EXCEEDED', `A page claims ${length} bytes, more than ${MAX_PAGE_BYTES}.`);
  }
  if (packed === 0) return page;
  return Buffer.concat([page.subarray(0, levels), decompressHadoopPage(page.subarray(levels), values)]);
}
