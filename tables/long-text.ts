/** 64-bit integers in JSON, which would round them as numbers. */
import { z } from 'zod';

/** A 64-bit integer as text. */
export const longText = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt);
