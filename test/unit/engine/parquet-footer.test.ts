/** Footers given byte by byte, as the compact protocol of Apache Thrift and parquet.thrift spell them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { footerOutline, nanosecondColumns, withZone } from '../../../engine/parquet/parquet-footer.js';

const hex = (...parts: string[]): Uint8Array => Buffer.from(parts.join('').replaceAll(' ', ''), 'hex');

/** FileMetaData: version 1, then a schema of these elements. The stop byte is left to what follows. */
const schema = (...elements: string[]): string => `15 02 19 ${elements.length.toString(16)}c ${elements.join('')}`;
/** SchemaElement: name "a", field id 7 (zigzag 0e), the logical type. */
const element = (logicalType: string): string => `48 01 61 55 0e 1c ${logicalType} 00 00`;
const timestamp = (fields: string): string => `8c ${fields} 00`;
const NANOS = '1c 3c 00 00';
const MICROS = '1c 2c 00 00';

describe('the nanosecond columns of a footer', () => {
  it('are found with the byte that says whether they have a zone', () => {
    const footer = hex(schema(element(timestamp(`11 ${NANOS}`)), element(timestamp(`12 ${NANOS}`))), '00');
    // 4 bytes to the first element; in it 6 to the logical type, 1 to its timestamp; an element has 15 bytes.
    expect(nanosecondColumns(footer)).toEqual([
      { fieldId: 7, isAdjustedToUtc: true, flagOffset: 11 },
      { fieldId: 7, isAdjustedToUtc: false, flagOffset: 26 },
    ]);
  });

  it.each([
    ['microseconds', element(timestamp(`11 ${MICROS}`))],
    ['another logical type', element('1c 00')],
    ['no logical type', '48 01 61 00'],
  ])('are not %s', (_, only) => {
    expect(nanosecondColumns(hex(schema(only), '00'))).toEqual([]);
  });

  it('are found where the unit comes first, and where field ids are written in full', () => {
    const unitFirst = '2c 3c 00 00 01 02';
    const [column] = nanosecondColumns(hex(schema(element(timestamp(unitFirst))), '00'));
    expect(column).toEqual({ fieldId: 7, isAdjustedToUtc: true, flagOffset: 15 });
  });

  it('are found behind fields of every kind that are unknown', () => {
    // byte, i16, i64, double, binary, list of booleans, set of i32, empty map, map of i32 to binary, struct, uuid
    const unknown =
      '03 ff01 7f 04 ff01 02 06 ff01 ffff03 07 ff01 0000000000000000 08 ff01 02 abcd 09 ff01 21 0102 0a ff01 15 04' +
      '0b ff01 00 0b ff01 01 58 04 01 61 0c ff01 11 00 0d ff01 00112233445566778899aabbccddeeff';
    const columns = nanosecondColumns(hex(unknown, '05 02 02 09 04 1c', element(timestamp(`11 ${NANOS}`)), '00'));
    expect(columns.map(({ fieldId, isAdjustedToUtc }) => [fieldId, isAdjustedToUtc])).toEqual([[7, true]]);
  });

  it('change their zone in one byte', () => {
    const footer = hex(schema(element(timestamp(`11 ${NANOS}`))), '00');
    const [column] = nanosecondColumns(footer);
    if (column === undefined) throw new Error('no column');
    footer[column.flagOffset] = withZone(footer, column, false);
    expect(footer).toEqual(hex(schema(element(timestamp(`12 ${NANOS}`))), '00'));
    footer[column.flagOffset] = withZone(footer, column, true);
    expect(footer).toEqual(hex(schema(element(timestamp(`11 ${NANOS}`))), '00'));
  });

  it.each([
    ['nothing', ''],
    ['an end inside', schema(element(timestamp('11')))],
    ['text longer than the footer', '18 ff ff ff ff 0f 61'],
    ['a number that never ends', '16 ff ff ff ff ff ff ff ff ff ff ff ff'],
    ['a type that there is not', '1e 00'],
    ['a list of them', '19 1e 00'],
    ['a schema of numbers', '29 15 02 00'],
    ['structs without end', '1c'.repeat(100_000)],
    ['lists without end', `19${'19'.repeat(100_000)}`],
  ])('are refused of %s', (_, bytes) => {
    expect(() => nanosecondColumns(hex(bytes))).toThrow(
      expect.objectContaining({ code: 'DATA_FILE_CORRUPT' }) as Error,
    );
  });

  it('are found or refused, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const { flagOffset } of nanosecondColumns(bytes)) expect(flagOffset).toBeLessThan(bytes.length);
        } catch (error) {
          expect(error).toMatchObject({ code: 'DATA_FILE_CORRUPT' });
        }
      }),
    );
  });
});

describe('bounds of a footer', () => {
  /** A row group of one column chunk: its physical type, and the fields of its statistics. */
  const outline = (type: string, statistics: string) =>
    footerOutline(hex('15 02 39 1c 19 1c 3c', `15 ${type}`, 'bc', statistics, '00 00 00 00 00'));
  const [INT64, INT96, BYTE_ARRAY, FIXED] = ['04', '06', '0c', '0e'];
  const OLD = '18 01 61 18 01 61';
  const NEW = '38 01 61 18 01 61';
  const ONLY_NEW = '58 01 61 18 01 61';

  it.each([
    [INT96, OLD, true],
    [BYTE_ARRAY, OLD, true],
    [FIXED, OLD, true],
    [BYTE_ARRAY, '28 01 61', true],
    [BYTE_ARRAY, OLD + NEW, false],
    [BYTE_ARRAY, ONLY_NEW, false],
    [BYTE_ARRAY, '', false],
    [INT64, OLD, false],
  ])('of the type %s with %s are in the order of signed bytes: %s', (type = '', statistics, expected) => {
    expect(outline(type, statistics).hasSignedBounds).toBe(expected);
  });
});
