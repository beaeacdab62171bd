import { ERROR_TABLE, isMoraineError, MoraineError } from '../../errors/index.js';
import { printable, toJson } from './output.js';
import { styled } from './style.js';

/** How an error is shown. */
export interface RenderOptions {
  /** With the stack trace and what was behind the error. */
  readonly verbose: boolean;
  /** As one JSON object, for commands run with `--json`. */
  readonly json: boolean;
}

/** Any thrown value as the error that is shown; what is not ours is a bug of ours. */
export function asMoraineError(error: unknown): MoraineError {
  if (isMoraineError(error)) return error;
  if (error instanceof Error && error.name === 'AbortError')
    return new MoraineError('CANCELLED', 'cancelled', { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new MoraineError('INTERNAL', `unexpected failure: ${message}`, { cause: error });
}

/** Text of an error on standard error: the sentence, its code, and the remedy. */
export function renderError(error: MoraineError, options: RenderOptions): string {
  const { code, message, remedy, details } = error;
  if (options.json) return `${toJson({ error: { code, message, remedy, retryable: error.retryable, details } })}\n`;
  const [first, ...rest] = message.split('\n').map(printable);
  const lines = [
    `${styled(process.stderr, ['bold', 'red'], 'error:')} ${first ?? ''}`,
    ...rest.map((line) => `  ${line}`),
  ];
  lines[lines.length - 1] += ` [${code}]`;
  lines.push(`  ${remedy}`);
  if (options.verbose) lines.push(stackOf(error));
  return `${lines.join('\n')}\n`;
}

function stackOf(error: Error): string {
  const cause = error.cause;
  const own = error.stack ?? error.message;
  if (cause === undefined) return own;
  return `${own}\ncaused by: ${cause instanceof Error ? stackOf(cause) : printable(toJson(cause))}`;
}

/** The exit code for an error. */
export function exitCodeOf(error: MoraineError): number {
  return ERROR_TABLE[error.code].exitCode;
}
