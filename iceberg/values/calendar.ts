/** Days, months and clock times of the proleptic Gregorian calendar, for the whole range of 64-bit times. */

/** A day of the calendar; `month` is 1 to 12. */
export interface CivilDay {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const DAYS_PER_ERA = 146_097;
/** Days from 0000-03-01, where the eras of 400 years begin, to 1970-01-01. */
const DAYS_TO_EPOCH = 719_468;

/** The calendar day of a count of days since 1970-01-01. The year is counted from March, so that the leap day comes last. */
export function civilFromDays(days: number): CivilDay {
  const shifted = days + DAYS_TO_EPOCH;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  };
}

/** Days from 1970-01-01 to a calendar day. */
export function daysFromCivil({ year, month, day }: CivilDay): number {
  const yearFromMarch = month <= 2 ? year - 1 : year;
  const era = Math.floor(yearFromMarch / 400);
  const yearOfEra = yearFromMarch - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * DAYS_PER_ERA + dayOfEra - DAYS_TO_EPOCH;
}

/** Division that rounds down, also below zero. */
export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

/** An ISO-8601 date: `2017-11-16`; years outside 0000 to 9999 with a sign. */
export function formatDate(days: number): string {
  const { year, month, day } = civilFromDays(days);
  return `${formatYear(year)}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** A year of at least four digits; one beyond 9999 has a sign, as in ISO-8601. */
export function formatYear(year: number): string {
  if (year < 0) return `-${pad(-year, 4)}`;
  return year > 9999 ? `+${year}` : pad(year, 4);
}

/** A clock time with its fraction: `22:31:08.123456`. `unitsPerSecond` is 10^6 or 10^9; all digits are written. */
export function formatTimeOfDay(units: bigint, unitsPerSecond: bigint): string {
  const seconds = Number(units / unitsPerSecond);
  const fraction = (units % unitsPerSecond).toString().padStart(unitsPerSecond.toString().length - 1, '0');
  return `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}.${fraction}`;
}

/** A date and time without zone: `2017-11-16T22:31:08.123456`, from units since the epoch. */
export function formatTimestamp(units: bigint, unitsPerSecond: bigint): string {
  const unitsPerDay = 86_400n * unitsPerSecond;
  const days = floorDivide(units, unitsPerDay);
  return `${formatDate(Number(days))}T${formatTimeOfDay(units - days * unitsPerDay, unitsPerSecond)}`;
}

function pad(value: number, width: number): string {
  return value.toString().padStart(width, '0');
}
