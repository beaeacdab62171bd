/**
 * Records of JSON that are plainly rows, known by their text alone: whole numbers of few digits, texts without escapes of code points, points in time with every digit in
 * its range. A pattern for the whole line says which keys there are, each once, and how their values are written; whatever it does not match is left to be judged. Pure.
 */
import type { IcebergType, PrimitiveType } from '../../iceberg/index.js';
import { jsonReader } from '../scan/file-readers.js';
import { quoteIdentifier, quoteLiteral } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';
import { EMPTY_REST, epochSql, type RecordColumn, type RecordOptions } from './json-records.js';

/** Lines that are rows, apart from those that have to be judged. */
export interface PlainRecords {
  /** Lines that are rows, with their ends. */
  readonly text: Buffer;
  readonly count: number;
  /** The other lines that are not blank, with their ends. */
  readonly others: Buffer;
  readonly otherLines: readonly OtherLine[];
  /** A relation with the columns `c0` and so on of the rows of a file of {@link text}, in their order. */
  readonly relation: (path: string) => string;
}

/** A line that has to be judged. */
export interface OtherLine {
  /** From 0; blank lines count. */
  readonly line: number;
  /** How many rows come before it. */
  readonly rowsBefore: number;
}

/** Lines that are looked at for the order of the keys. */
const SAMPLE_LINES = 64;
/** Longer lines, in bytes, are judged. */
const MAX_LINE = 1 << 16;
/** The reader has buffers for objects of this size, in bytes. */
const MAX_OBJECT = 1 << 21;
/** More members make a pattern too large. */
const MAX_MEMBERS = 200;
/** Looking for rows ends where this many lines, and a quarter of them, are none. */
const [MAX_OTHERS, OTHERS_SHARE] = [64, 4];

/** @returns null if hardly any line is plain */
export function plainRecords(text: Buffer, options: RecordOptions): PlainRecords | null {
  const members = membersOf(text, options);
  if (members === null) return null;
  const pattern = linePattern(members, HAS_BLANKS.test(text.toString('latin1', 0, PIECE_BYTES)));
  const [plain, others, otherLines] = [new Runs(text), new Runs(text), [] as OtherLine[]];
  let [line, count] = [0, 0];
  for (const [first, after] of piecesOf(text)) {
    // Every byte is a character: places are those of the bytes.
    const lines = text.toString('latin1', first, after);
    for (let start = 0; start < lines.length; line += 1) {
      pattern.lastIndex = start;
      const isPlain = pattern.test(lines) && pattern.lastIndex - start <= MAX_LINE;
      const end = isPlain ? pattern.lastIndex : endOfLine(lines, start);
      if (isPlain) {
        plain.add(first + start, first + end);
        count += 1;
      } else if (!isBlankLine(text, first + start, first + end)) {
        others.add(first + start, first + end);
        otherLines.push({ line, rowsBefore: count });
        if (otherLines.length > MAX_OTHERS && otherLines.length * OTHERS_SHARE > count) return null;
      }
      start = end;
    }
  }
  if (count === 0) return null;
  return {
    ...{ text: plain.bytes(), count, others: others.bytes(), otherLines },
    relation: (path) => relationSql(path, options.columns, members),
  };
}

/** Whole lines, of few bytes together: long strings are costly to give up. */
function* piecesOf(text: Buffer): Generator<readonly [start: number, end: number]> {
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf(NEWLINE, Math.min(start + PIECE_BYTES, text.length - 1));
    const end = found < 0 ? text.length : found + 1;
    yield [start, end];
    start = end;
  }
}

const NEWLINE = 0x0a;
const PIECE_BYTES = 1 << 16;

/** Parts of a text that follow one another. */
class Runs {
  readonly #text: Buffer;
  readonly #runs: Buffer[] = [];
  #start = 0;
  #end = 0;

  constructor(text: Buffer) {
    this.#text = text;
  }

  add(start: number, end: number): void {
    if (start !== this.#end) {
      this.#close();
      this.#start = start;
    }
    this.#end = end;
  }

  bytes(): Buffer {
    this.#close();
    const [only] = this.#runs;
    return this.#runs.length === 1 && only !== undefined ? only : Buffer.concat(this.#runs);
  }

  #close(): void {
    if (this.#end > this.#start) this.#runs.push(this.#text.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }
}

function endOfLine(lines: string, start: number): number {
  const found = lines.indexOf('\n', start);
  return found < 0 ? lines.length : found + 1;
}

const BLANKS: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'));

function isBlankLine(text: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (!BLANKS.has(text[at] as number)) return false;
  return true;
}

/** A member of an object that is a row. */
interface Member {
  readonly key: string;
  /** What its value may look like. */
  readonly value: string;
  /** A record need not have it. */
  readonly isOptional: boolean;
  /** The DuckDB type that its value is read as; null: it is not read. */
  readonly readAs: string | null;
}

/** Members in the order of the records; null: no record is a row by its text. */
function membersOf(
  text: Buffer,
  { columns, allowsExtra, allowsNulls = false }: RecordOptions,
): readonly Member[] | null {
  const keys = keysOf(text);
  const seen = new Set(keys);
  const byHead = new Map<string, Member>();
  for (const column of columns) {
    const [head, ...inside] = column.path ?? [];
    if (head === undefined) continue;
    // Records that have none of its key have one value there; others are judged.
    if (column.absent !== undefined && !seen.has(head)) continue;
    // Of values that have to be judged null is known.
    const own = inside.length === 0 ? plainForm(column) : null;
    const value = [own?.pattern ?? [], column.required ? [] : 'null'].flat().join('|');
    if (value === '' || head === '' || byHead.has(head)) return null;
    // The reader does not tell a key that is not there from a null.
    const isOptional = !column.required && column.absent === undefined;
    byHead.set(head, { key: head, value, isOptional, readAs: own?.readAs ?? null });
  }
  const known = new Set(columns.flatMap(({ path }) => path?.[0]?.toLowerCase() ?? []));
  const keepsRest = columns.some(({ path }) => path === null);
  const members = keys.flatMap((key): readonly Member[] => {
    const member = byHead.get(key);
    if (member !== undefined) return [member];
    const isExtra = (allowsExtra || allowsNulls) && !keepsRest && !known.has(key.toLowerCase());
    return isExtra ? [{ key, value: allowsExtra ? SCALAR : 'null', isOptional: true, readAs: null }] : [];
  });
  const present = new Set(members.map(({ key }) => key));
  const lacksRequired = [...byHead.values()].some(({ key, isOptional }) => !isOptional && !present.has(key));
  const readsNone = members.every(({ readAs }) => readAs === null);
  return lacksRequired || readsNone || members.length > MAX_MEMBERS ? null : members;
}

/** The keys of the first records in an order that goes with that of each, as far as one does. */
function keysOf(text: Buffer): readonly string[] {
  const keys: string[] = [];
  for (let [line, start] = [0, 0]; line < SAMPLE_LINES && start < text.length; line += 1) {
    const found = text.indexOf(NEWLINE, start);
    const end = found < 0 ? text.length : found;
    let place = 0;
    for (const key of end - start > MAX_LINE ? [] : keysOfRecord(text.subarray(start, end).toString())) {
      const known = keys.indexOf(key);
      if (known < 0) keys.splice(place, 0, key);
      place = known < 0 ? place + 1 : known + 1;
    }
    start = end + 1;
  }
  return keys;
}

function keysOfRecord(line: string): readonly string[] {
  try {
    const record: unknown = JSON.parse(line);
    return typeof record === 'object' && record !== null && !Array.isArray(record) ? Object.keys(record) : [];
  } catch {
    return [];
  }
}

/** Whether there are blanks between the parts of records, or inside of texts. */
const HAS_BLANKS = /[ \t][:"}]|[:,{][ \t]/;

/** The whole line, its end included. A comma stands behind each member but the last. Blanks that no record has need not be looked for. */
function linePattern(members: readonly Member[], hasBlanks: boolean): RegExp {
  const blank = hasBlanks ? '[ \\t]*' : '';
  const parts = members.map(({ key, value, isOptional }) => {
    const part = `${quotedKey(key)}${blank}:${blank}(?:${value})${blank}(?:,${blank}|(?=\\}))`;
    return `(?:${part})${isOptional ? '?' : ''}`;
  });
  return new RegExp(`[ \\t\\r]*\\{${blank}${parts.join('')}(?<!,${blank})\\}[ \\t\\r]*(?:\\n|$)`, 'y');
}

const quotedKey = (key: string): string =>
  Buffer.from(JSON.stringify(key))
    .toString('latin1')
    .replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);

/** Escapes of code points are judged: they may be half of a character. */
const TEXT = String.raw`"[^"\\\x00-\x1f]*(?:\\["\\/bfnrt][^"\\\x00-\x1f]*)*"`;
const whole = (digits: number): string => String.raw`0|-?[1-9]\d{0,${digits - 1}}`;
const [INT_DIGITS, LONG_DIGITS, DOUBLE_DIGITS] = [9, 18, 15];
/** Doubles are the nearest of any number of digits, but of whole numbers only those are rows that they hold. Of a whole -0 the reader loses the sign. */
const DOUBLE = String.raw`(?!-0[^.eE])-?(?:0|[1-9]\d{0,${DOUBLE_DIGITS - 1}})(?:\.\d{1,25})?(?:[eE][+-]?\d{1,2})?`;
const SCALAR = `${TEXT}|${DOUBLE}|true|false|null`;
const DATE = String.raw`[1-9]\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))`;
const CLOCK = String.raw`(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?`;
const ZONE = String.raw`(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)?`;
/** Points in time of so many digits reach beyond the year 4000; those of nanoseconds end before, and are judged. */
const EPOCH_DIGITS = { epoch_s: 11, epoch_ms: 14, epoch_us: 17 } as const;

/** How values of a column look that are rows by their text, and what they are read as. */
interface PlainForm {
  readonly pattern: string;
  readonly readAs: string;
  /** SQL of the column's value. */
  readonly sql: (read: string) => string;
}

function plainForm({ type, time }: RecordColumn): PlainForm | null {
  const asText = (pattern: string, sql: PlainForm['sql']): PlainForm => ({ pattern, readAs: 'VARCHAR', sql });
  const asItself = (pattern: string): PlainForm => ({ pattern, readAs: sqlType(type), sql: (read) => read });
  const cast = (read: string): string => `CAST(${read} AS ${sqlType(type)})`;
  if (time !== 'iso') {
    if (type.kind === 'timestamp_ns' || type.kind === 'timestamptz_ns') return null;
    const instant = (read: string): string => epochSql(type as PrimitiveType, `${read}::VARCHAR`, time);
    return { pattern: whole(EPOCH_DIGITS[time]), readAs: 'BIGINT', sql: instant };
  }
  switch (type.kind) {
    case 'boolean':
      return asItself('true|false');
    case 'int':
      return asItself(whole(INT_DIGITS));
    case 'long':
      return asItself(whole(LONG_DIGITS));
    case 'double':
      return asItself(DOUBLE);
    case 'decimal':
      return decimalForm(type, cast);
    case 'string':
      return asText(TEXT, (read) => read);
    case 'date':
      return asText(`"${DATE}"`, cast);
    case 'time':
      return asText(`"${CLOCK}"`, cast);
    case 'timestamp':
      return asText(`"${DATE}[T ]${CLOCK}${ZONE}"`, (read) => `CAST(${read} AS TIMESTAMPTZ)::TIMESTAMP`);
    case 'timestamptz':
      return asText(`"${DATE}[T ]${CLOCK}${ZONE}"`, cast);
    default:
      return null;
  }
}

/** Of numbers with so few digits a double keeps all. */
function decimalForm(
  { precision, scale }: Extract<IcebergType, { kind: 'decimal' }>,
  cast: PlainForm['sql'],
): PlainForm | null {
  if (precision > DOUBLE_DIGITS) return null;
  const before = precision - scale;
  const digits = before === 0 ? '0' : String.raw`(?:0|[1-9]\d{0,${before - 1}})`;
  const fraction = scale === 0 ? '' : String.raw`(?:\.\d{1,${scale}})?`;
  return { pattern: `-?${digits}${fraction}`, readAs: 'DOUBLE', sql: cast };
}

/** The value of a column in rows by their text, which have no value for it but null. @param keys those that they may have */
function unreadSql({ path, type, required, absent }: RecordColumn, keys: ReadonlySet<string>): string {
  // A row by its text has no field that no column takes.
  if (path === null && required) return EMPTY_REST;
  // Objects that it leads through are null, or not there.
  const isAbsent = path !== null && (path.length > 1 || !keys.has(path[0] ?? ''));
  return absent !== undefined && isAbsent ? `CAST(${absent} AS ${sqlType(type)})` : `NULL::${sqlType(type)}`;
}

function relationSql(path: string, columns: readonly RecordColumn[], members: readonly Member[]): string {
  const read = members.filter(({ readAs }) => readAs !== null);
  const names = new Map(read.map(({ key }, index) => [key, `r${index}`]));
  const types = read.map(({ key, readAs }) => `${quoteIdentifier(key)}: ${quoteLiteral(readAs ?? '')}`);
  const reader = jsonReader({ path, compression: 'uncompressed' }, [
    "format = 'newline_delimited', records = true, ignore_errors = false",
    `maximum_object_size = ${MAX_OBJECT}`,
    `columns = {${types.join(', ')}}`,
  ]);
  const keys = new Set(members.map(({ key }) => key));
  const values = columns.map((column, index) => {
    const own = column.path?.length === 1 ? names.get(column.path[0] ?? '') : undefined;
    const value = own === undefined ? undefined : plainForm(column)?.sql(own);
    return `${value ?? unreadSql(column, keys)} AS c${index}`;
  });
  return `(SELECT ${values.join(', ')} FROM ${reader} AS input(${[...names.values()].join(', ')}))`;
}
