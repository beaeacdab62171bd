/** The requests that were refused or failed last. */
import { countText } from '../../errors/index.js';
import type { RecentErrors } from '../recent-errors.js';
import { html } from './html.js';
import type { Page } from './page.js';
import { stateOf, tableOf, timeOf } from './parts.js';

export function errorsPage(errors: RecentErrors): Page {
  const nowMs = Date.now();
  const rows = errors
    .list()
    .map(({ atMs, method, path, status, code, message }) => [
      timeOf(BigInt(atMs) * 1000n, nowMs),
      html`<code>${method} ${path}</code>`,
      stateOf(status >= 500 ? 'bad' : 'soft', String(status)),
      html`<code>${code}</code>`,
      message,
    ]);
  const columns = [
    { name: 'Time', kind: 'when' },
    { name: 'Request', kind: 'name' },
    'Status',
    'Code',
    { name: 'Message', kind: 'wide' },
  ] as const;
  const body = html`<p class="lead">Requests that were refused or failed since this process started, the newest first. A message that may quote the request is left out.</p>
${rows.length === 0 ? html`<p>There are none.</p>` : tableOf(`The last ${countText(rows.length)} of ${countText(errors.count)}`, columns, rows)}`;
  return { title: 'Errors', place: '/ui/errors', body };
}
