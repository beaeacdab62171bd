/** Shapes of values that many arguments have. */
import { z } from 'zod';

export type Shape = z.ZodType;

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const shaped = (expected: string, is: (value: unknown) => boolean): Shape =>
  z.custom(is, { error: `expected ${expected}` });

export const text = z.string();
export const flag = z.boolean().optional();
export const optionalText = text.optional();
export const count = z.number().optional();
export const micros = z.bigint().optional();
export const date = shaped('a Date', (value) => value instanceof Date && !Number.isNaN(value.getTime())).optional();
export const bytes = shaped(
  'an async iterable of bytes',
  (value) => typeof value === 'object' && value !== null && Symbol.asyncIterator in value,
);
export const callback = shaped('a function', (value) => typeof value === 'function').optional();
export const object = shaped('an object', isObject);
/** Told by its shape: a program may have a signal of another realm. */
export const signal = shaped(
  'an AbortSignal',
  (value) =>
    isObject(value) && typeof value['aborted'] === 'boolean' && typeof value['addEventListener'] === 'function',
).optional();
/** A definition, or its name. */
export const named = shaped(
  'a name or a definition',
  (value) => typeof value === 'string' || (isObject(value) && typeof value['name'] === 'string'),
).optional();
