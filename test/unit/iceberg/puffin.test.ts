import { describe, expect, it, test } from 'vitest';
import { parsePuffinFooter, puffinFooterBytes, writePuffin } from '../../../iceberg/index.js';
import { codeOf } from '../../support/error-code.js';

/** A footer assembled as the specification says. */
function footerOf(payload: string, flags = 0): Buffer {
  const text = Buffer.from(payload);
  const size = Buffer.alloc(4);
  size.writeInt32LE(text.length);
  return Buffer.concat([Buffer.from('PFA1'), text, size, Buffer.from([flags, 0, 0, 0]), Buffer.from('PFA1')]);
}

const BLOB =
  '{"type":"deletion-vector-v1","fields":[2147483545],"snapshot-id":-1,"sequence-number":-1,"offset":4,"length":9007199254740993,' +
  '"properties":{"referenced-data-file":"/t/data/a.parquet","cardinality":"2"}}';

describe('the footer of a Puffin file', () => {
  it('is read as specified, 64-bit numbers exact', () => {
    const footer = footerOf(`{"blobs":[${BLOB}],"properties":{"created-by":"a test"}}`);
    expect(puffinFooterBytes(footer.subarray(-12))).toBe(footer.length);
    expect(parsePuffinFooter(footer)).toEqual({
      blobs: [
        {
          type: 'deletion-vector-v1',
          fields: [2147483545],
          snapshotId: -1n,
          sequenceNumber: -1n,
          offset: 4n,
          length: 9007199254740993n,
          properties: new Map([
            ['referenced-data-file', '/t/data/a.parquet'],
            ['cardinality', '2'],
          ]),
        },
      ],
      properties: new Map([['created-by', 'a test']]),
    });
  });

  it('of a file without blobs is the 28 bytes after the first magic', () => {
    const { bytes } = writePuffin([]);
    const footer = footerOf('{"blobs":[],"properties":{}}');
    expect(Buffer.from(bytes).equals(Buffer.concat([Buffer.from('PFA1'), footer]))).toBe(true);
  });

  test.each([
    ['cut', footerOf('{"blobs":[]}').subarray(1), 'DELETE_FILE_CORRUPT'],
    [
      'without its last magic',
      Buffer.concat([footerOf('{"blobs":[]}').subarray(0, -1), Buffer.from('2')]),
      'DELETE_FILE_CORRUPT',
    ],
    ['not JSON', footerOf('{"blobs":['), 'DELETE_FILE_CORRUPT'],
    ['without blobs', footerOf('{}'), 'DELETE_FILE_CORRUPT'],
    ['a blob without an offset', footerOf(`{"blobs":[${BLOB.replace('"offset":4,', '')}]}`), 'DELETE_FILE_CORRUPT'],
    ['compressed', footerOf('{"blobs":[]}', 1), 'UNSUPPORTED_FEATURE'],
  ] as const)('%s: %s', (_name, footer, code) => {
    expect(codeOf(() => parsePuffinFooter(footer))).toBe(code);
  });

  it('claiming a negative or huge length is refused before anything is read', () => {
    const trailer = footerOf('{"blobs":[]}').subarray(-12);
    trailer.writeInt32LE(-1);
    expect(codeOf(() => puffinFooterBytes(trailer))).toBe('DELETE_FILE_CORRUPT');
    trailer.writeInt32LE(2 ** 30);
    expect(codeOf(() => puffinFooterBytes(trailer))).toBe('DELETE_FILE_CORRUPT');
  });
});

describe('a written Puffin file', () => {
  it('has its blobs where its footer says', () => {
    const blob = (text: string) => ({
      type: 'deletion-vector-v1',
      fields: [],
      snapshotId: -1n,
      sequenceNumber: -1n,
      data: Buffer.from(text),
      properties: new Map([['cardinality', text]]),
    });
    const { bytes, blobs } = writePuffin([blob('one'), blob('three')]);
    const trailer = bytes.subarray(-12);
    const footer = parsePuffinFooter(bytes.subarray(-puffinFooterBytes(trailer)));
    expect(footer.blobs).toEqual(blobs);
    const stored = footer.blobs.map(({ offset, length }) =>
      Buffer.from(bytes.subarray(Number(offset), Number(offset + length))).toString(),
    );
    expect(stored).toEqual(['one', 'three']);
    expect(Buffer.from(bytes.subarray(0, 4)).toString()).toBe('PFA1');
  });
});
