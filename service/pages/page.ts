/** A page for people: its frame and its headers. */
import type { FastifyReply } from 'fastify';
import { type Html, html } from './html.js';

/** The parts of the navigation. */
const PLACES = [
  ['/ui/', 'Views'],
  ['/ui/entity', 'Entity'],
  ['/ui/tables', 'Tables'],
  ['/ui/runs', 'Runs'],
  ['/ui/errors', 'Errors'],
  ['/docs', 'API'],
] as const;

export interface Page {
  /** 200 by default. */
  readonly status?: number;
  readonly title: string;
  /** The part of the navigation that it belongs to. */
  readonly place?: (typeof PLACES)[number][0];
  /** What is below the title. */
  readonly body: Html;
}

/** Who looks at a page. */
export interface Visitor {
  /** Name of the API key of the session; null: there is no session. */
  readonly keyName: string | null;
}

/** No scripts, no frames, nothing from elsewhere. Names of keys and entities stay out of caches and of other sites. */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Not `no-referrer`: forms would then say that their origin is null.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  vary: 'accept',
} as const;

export function sendPage(reply: FastifyReply, page: Page, visitor: Visitor): FastifyReply {
  return reply
    .status(page.status ?? 200)
    .headers(HEADERS)
    .send(renderPage(page, visitor));
}

function renderPage({ title, place, body }: Page, { keyName }: Visitor): string {
  const link = ([path, name]: (typeof PLACES)[number]): Html =>
    html`<li><a href="${path}"${path === place && html` aria-current="page"`}>${name}</a></li>`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Moraine</title>
<link rel="stylesheet" href="/ui/style.css">
<link rel="icon" href="/ui/icon.svg" type="image/svg+xml">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<div class="bar"><header>
<a class="brand" href="/ui/">${MARK} Moraine</a>
<nav aria-label="Main"><ul>${PLACES.map(link)}</ul></nav>
${keyName !== null && html`<div class="who"><span>Key ${keyName}</span><form class="plain" method="post" action="/ui/logout"><button class="quiet">Sign out</button></form></div>`}
</header></div>
<main id="main" tabindex="-1">
<h1>${title}</h1>
${body}
</main>
<footer><p>Times are UTC. These pages change nothing.</p></footer>
</body>
</html>
`.text;
}

const MARK = html`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" aria-hidden="true"><path d="M2 20 9 6l4 7 3-4 6 11Z"/></svg>`;
