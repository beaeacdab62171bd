/** A record of JSON as a line. Pure. */

const [LINE_FEED, SPACE, TAB, CARRIAGE_RETURN] = [0x0a, 0x20, 0x09, 0x0d];
const BLANKS: ReadonlySet<number> = new Set([LINE_FEED, SPACE, TAB, CARRIAGE_RETURN]);
/** What a record without anything is judged as: no object. */
const NOTHING = Buffer.from('null\n');
/** Nothing that begins so is JSON. */
const SPOILT = Buffer.of(0x01);

/** Whether there is nothing but white space. */
export const isBlank = (record: Uint8Array): boolean => record.every((byte) => BLANKS.has(byte));

/** Lines of records, one after the other. */
export function jsonLines(records: readonly Uint8Array[]): Buffer {
  const lines = records.map((record) => (isLine(record) ? record : jsonLine(record).subarray(0, -1)));
  const bytes = Buffer.allocUnsafe(lines.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const line of lines) {
    bytes.set(line, at);
    at += line.length;
    bytes[at] = LINE_FEED;
    at += 1;
  }
  return bytes;
}

/** Whether a record has what makes a line, and is one. */
const isLine = (record: Uint8Array): boolean => !BLANKS.has(record[0] ?? SPACE) && !record.includes(LINE_FEED);

/** A line that is a JSON object if, and only if, the record is one; with its end. */
export function jsonLine(record: Uint8Array): Buffer {
  if (isBlank(record)) return NOTHING;
  const line = Buffer.allocUnsafe(record.length + 1);
  line.set(record);
  line[record.length] = LINE_FEED;
  let at = line.indexOf(LINE_FEED);
  if (at === record.length) return line;
  // Between the parts of JSON the end of a line is a blank; within a text it has to be escaped.
  for (; at < record.length; at = line.indexOf(LINE_FEED, at + 1)) line[at] = SPACE;
  return isJson(line) && !isJson(record) ? Buffer.concat([SPOILT, line]) : line;
}

function isJson(record: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(record).toString());
    return true;
  } catch {
    return false;
  }
}

const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf);

/** The bytes of a source from its beginning, without the byte order mark that may be there: it is of no record. */
export function withoutMark(bytes: Buffer): Buffer {
  const { length } = BYTE_ORDER_MARK;
  return bytes.subarray(0, length).equals(BYTE_ORDER_MARK) ? bytes.subarray(length) : bytes;
}
