/** The tracing of Temporal's steps, without loading what makes it unless it is wanted. */
import { spansIfConfigured } from '../../tracing/index.js';
import type { Tracing } from './tracing.js';

let started: Promise<Tracing> | undefined;

/** The tracing of this process; undefined unless it is configured ({@link spansIfConfigured}). */
export async function tracingIfConfigured(): Promise<Tracing | undefined> {
  const spans = await spansIfConfigured();
  if (spans === undefined) return undefined;
  started ??= import('./tracing.js').then(({ traceTemporal }) => traceTemporal(spans));
  return started;
}
