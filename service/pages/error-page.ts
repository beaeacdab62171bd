/** An error as a page. */
import type { ErrorAnswer } from '../http-error.js';
import { html } from './html.js';
import type { Page } from './page.js';

const TITLES: Readonly<Record<number, string>> = {
  401: 'An API key is needed',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not possible',
  429: 'Busy',
  500: 'Something failed',
  503: 'Not available now',
  504: 'It took too long',
};

export function errorPage({ status, body: { error, code, remedy } }: ErrorAnswer): Page {
  const body = html`<p class="lead">${error}</p><p>${remedy}</p><p class="soft">Status ${status}, <code>${code}</code></p>
<p><a href="/ui/">To the views</a></p>`;
  return { status, title: TITLES[status] ?? 'The request was refused', body };
}
