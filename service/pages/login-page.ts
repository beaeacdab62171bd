/** Signing in with an API key. */
import { html } from './html.js';
import type { Page } from './page.js';
import { noteOf } from './parts.js';

/** @param next where to go then, a path of these pages */
export function loginPage(next: string, problem?: string): Page {
  const body = html`<p class="lead">Enter an API key with the scope <code>read</code>. The browser keeps a session, not the key; it ends after twelve hours, with this process, or when the key is deleted.</p>
${problem !== undefined && noteOf('bad', problem)}
<form method="post" action="/ui/login"><div class="fields">
<input type="hidden" name="next" value="${next}">
<div><label for="key">API key</label><input id="key" name="key" type="password" autocomplete="current-password" required></div>
</div><button>Sign in</button></form>`;
  return { status: problem === undefined ? 200 : 401, title: 'Sign in', body };
}

/** A path below `/ui/`; anything else would let a link lead people elsewhere after they have signed in. */
export function pathAfterLogin(next: string | null): string {
  return next !== null && /^\/ui\/[\w%.~!$&'()*+,;=:@/?-]*$/.test(next) ? next : '/ui/';
}
