/** JSON of requests, with every number exact. */
import { isUtf8 } from 'node:buffer';
import { LosslessNumber, parse } from 'lossless-json';
import { MoraineError } from '../errors/index.js';

/** A number with more digits than a double is sure to keep looks like this; so may other text, which is no harm. */
const MANY_DIGITS = /[\d.]{16}/;

/**
 * Parses JSON. A number is a `number` where that is exact, a `bigint` for other integers, else a `LosslessNumber`.
 * @throws INVALID_ARGUMENT
 */
export function parseExactJson(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) throw malformed('it is not UTF-8');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    return MANY_DIGITS.test(text) ? parse(text, undefined, exactNumber) : JSON.parse(text);
  } catch (error) {
    throw malformed(error instanceof RangeError ? 'it is nested too deeply' : reasonOf(text, error));
  }
}

function exactNumber(text: string): number | bigint | LosslessNumber {
  if (text.length < 16) return Number(text);
  if (!/^-?\d+$/.test(text)) return new LosslessNumber(text);
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

function reasonOf(text: string, error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  const hint = /[:[,]\s*-?(?:NaN|Infinity)\b/.test(text) ? '; JSON has no NaN and no Infinity, write null' : '';
  return `${reason}${hint}`;
}

function malformed(reason: string): MoraineError {
  return new MoraineError('INVALID_ARGUMENT', `The body is not JSON: ${reason}.`);
}
