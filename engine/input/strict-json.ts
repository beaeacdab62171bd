/** What the query engine takes for JSON, and the standard (RFC 8259) does not: a comma before the end of an object or array, `NaN` and infinities. Pure. */

/** Texts that have such a thing, and few others: it may stand in a string. */
const SUSPECT = /,\s*[}\]]|[:,[]\s*-?(?:nan|inf)/i;
const [LINE_FEED, SPACE] = [0x0a, 0x20];

/** Lines of JSON, and which of them are none though the engine would take them. */
export interface StrictLines {
  /** The lines with those blanked. */
  readonly text: Buffer;
  /** Their numbers, from 0. */
  readonly lenient: readonly number[];
}

/** @param text lines of UTF-8, which are left as they are */
export function strictLines(text: Buffer): StrictLines {
  if (!mayBeLenient(text)) return { text, lenient: [] };
  const strict = Buffer.from(text);
  const lenient: number[] = [];
  for (let [line, start] = [0, 0]; start < text.length; line += 1) {
    const found = text.indexOf(LINE_FEED, start);
    const end = found < 0 ? text.length : found;
    if (isLenient(text.subarray(start, end))) {
      strict.fill(SPACE, start, end);
      lenient.push(line);
    }
    start = end + 1;
  }
  return { text: strict, lenient };
}

const mayBeLenient = (text: Buffer): boolean => SUSPECT.test(text.toString('latin1'));

function isLenient(line: Buffer): boolean {
  if (!mayBeLenient(line)) return false;
  try {
    JSON.parse(line.toString());
    return false;
  } catch {
    return true;
  }
}
