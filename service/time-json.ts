/** Event times as Feast writes them: UTC, with a fraction of three or six digits where it is not zero. */
import { civilFromDays, temporalText } from '../iceberg/index.js';
import type { JsonBytes } from './json-bytes.js';

/** The time of what has none. */
export const EPOCH: Uint8Array = Buffer.from('"1970-01-01T00:00:00Z"');

const MICROS_PER_SECOND = 1_000_000;
const SECONDS_PER_DAY = 86_400;

/** Writes times; those of one day share the text of the day. */
export class TimeWriter {
  readonly #out: JsonBytes;
  #day: number | undefined;
  #dayText = '';

  constructor(out: JsonBytes) {
    this.#out = out;
  }

  write(us: bigint): void {
    const micros = Number(us);
    // A double is exact from the year 1684 to 2255.
    if (!Number.isSafeInteger(micros)) return this.#writeFar(us);
    const seconds = Math.floor(micros / MICROS_PER_SECOND);
    const day = Math.floor(seconds / SECONDS_PER_DAY);
    if (day !== this.#day) this.#startDay(day);
    const out = this.#out;
    const second = seconds - day * SECONDS_PER_DAY;
    out.ascii(this.#dayText);
    out.digits(Math.floor(second / 3600), 2);
    out.ascii(':');
    out.digits(Math.floor(second / 60) % 60, 2);
    out.ascii(':');
    out.digits(second % 60, 2);
    const fraction = micros - seconds * MICROS_PER_SECOND;
    if (fraction !== 0) {
      out.ascii('.');
      if (fraction % 1000 === 0) out.digits(fraction / 1000, 3);
      else out.digits(fraction, 6);
    }
    return out.ascii('Z"');
  }

  #startDay(days: number): void {
    const { year, month, day } = civilFromDays(days);
    const pad = (number: number, digits: number): string => String(number).padStart(digits, '0');
    this.#day = days;
    this.#dayText = `"${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T`;
  }

  #writeFar(us: bigint): void {
    const text = temporalText({ kind: 'timestamptz' }, us, 'Z') as string;
    const fraction = text.slice(-7, -1);
    const digits = fraction === '000000' ? 0 : fraction.endsWith('000') ? 3 : 6;
    this.#out.ascii(`"${text.slice(0, -8)}${digits === 0 ? '' : `.${fraction.slice(0, digits)}`}Z"`);
  }
}
