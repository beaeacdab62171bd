/** Tells who listens which statements run: metrics and traces, without the engine knowing of them. */
import { tracingChannel } from 'node:diagnostics_channel';

/** A statement, while it runs and afterwards. Never its text, which may hold values of rows. */
export interface StatementEvent {
  /** Its first word, such as `SELECT` or `COPY`. */
  readonly kind: string;
  /** Rows that it returned, once known. */
  rows?: number;
}

/** The name of the channel, for `node:diagnostics_channel`. */
export const STATEMENT_CHANNEL = 'moraine:statement';

const channel = tracingChannel<StatementEvent>(STATEMENT_CHANNEL);

/** Runs a statement under the channel. Costs some microseconds if nobody listens. */
export function announceStatement<T>(sql: string, work: (event: StatementEvent) => Promise<T>): Promise<T> {
  const event: StatementEvent = { kind: kindOf(sql) };
  return channel.tracePromise(() => work(event), event);
}

function kindOf(sql: string): string {
  const [word = ''] = /[A-Za-z]+/.exec(sql.slice(0, 100)) ?? [];
  return word.toUpperCase();
}
