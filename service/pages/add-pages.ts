/** The pages as routes: who may see them, and what is sent. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MoraineError } from '../../errors/index.js';
import { findApiKey, mayUse } from '../api-keys.js';
import { mediaTypeOf } from '../media-type.js';
import { routerPath } from '../route.js';
import { apiPage } from './api-page.js';
import type { PageDeps } from './deps.js';
import { entityPage } from './entity-page.js';
import { errorsPage } from './errors-page.js';
import { loginPage, pathAfterLogin } from './login-page.js';
import { type Page, sendPage, type Visitor } from './page.js';
import { runsPage } from './runs-page.js';
import { SESSION_MS, Sessions } from './sessions.js';
import { ICON, STYLE } from './style.js';
import { tablePage, tablesPage } from './tables-page.js';
import { viewPage } from './view-page.js';
import { viewsPage } from './views-page.js';

const COOKIE = 'moraine_session';
const FORM_TYPE = 'application/x-www-form-urlencoded';
const MAX_FORM_BYTES = 2 ** 16;

/** Another path to look at, and what becomes of the session. */
interface Move {
  readonly to: string;
  /** The new token; empty: the browser forgets the old one. */
  readonly token?: string;
}

/** A file that pages use. */
interface PageFile {
  readonly type: string;
  readonly content: string;
}

type PageAnswer = Page | Move | PageFile;

/** A method of a path of the pages. */
export interface PageRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Anybody may see it. */
  readonly isOpen?: boolean;
  readonly answer: (request: FastifyRequest) => PageAnswer | Promise<PageAnswer>;
}

export class Pages {
  readonly routes: readonly PageRoute[];
  readonly #deps: PageDeps;
  readonly #sessions: Sessions | undefined;

  constructor(deps: PageDeps) {
    this.#deps = deps;
    const { keys } = deps;
    this.#sessions = keys === undefined ? undefined : new Sessions(() => keys.keys);
    this.routes = [...filesAndRedirects(), ...pagesOf(deps), ...this.#signing()];
  }

  /** Adds the pages, with a parser for what forms send. */
  addTo(app: FastifyInstance): void {
    app.register((scope, _, done) => {
      scope.addContentTypeParser(
        FORM_TYPE,
        { parseAs: 'string', bodyLimit: MAX_FORM_BYTES },
        (_request, body, parsed) => parsed(null, new URLSearchParams(String(body))),
      );
      for (const { method, path, isOpen = false, answer } of this.routes) {
        scope.route({
          method,
          url: routerPath(path),
          onRequest: async (request, reply) => {
            if (method === 'POST') {
              requireForm(request);
              requireSameOrigin(request);
            }
            if (!isOpen && this.#visitor(request).keyName === null && this.#sessions !== undefined)
              return reply.redirect(`/ui/login?next=${encodeURIComponent(request.url)}`, 303);
            return undefined;
          },
          handler: async (request, reply) => this.#send(request, reply, await answer(request)),
        });
      }
      done();
    });
  }

  #send(request: FastifyRequest, reply: FastifyReply, answer: PageAnswer): FastifyReply {
    if ('content' in answer) {
      reply.headers({ 'cache-control': 'max-age=300', 'x-content-type-options': 'nosniff' });
      return reply.type(answer.type).send(answer.content);
    }
    if (!('to' in answer)) return sendPage(reply, answer, this.#visitor(request));
    if (answer.token !== undefined) reply.header('set-cookie', cookieOf(request, answer.token));
    return reply.header('cache-control', 'no-store').redirect(answer.to, 303);
  }

  #visitor(request: FastifyRequest): Visitor {
    return { keyName: this.#sessions?.keyOf(tokenOf(request))?.name ?? null };
  }

  #signing(): readonly PageRoute[] {
    const { keys } = this.#deps;
    const sessions = this.#sessions;
    if (keys === undefined || sessions === undefined) return [];
    return [
      {
        method: 'GET',
        path: '/ui/login',
        isOpen: true,
        answer: (request) => loginPage(pathAfterLogin(queryOf(request).get('next'))),
      },
      {
        method: 'POST',
        path: '/ui/login',
        isOpen: true,
        answer: (request) => {
          const form = formOf(request) ?? new URLSearchParams();
          const to = pathAfterLogin(form.get('next'));
          const key = findApiKey(keys.keys, `Bearer ${(form.get('key') ?? '').trim()}`);
          if (key === undefined) return loginPage(to, 'This API key is not known.');
          if (!mayUse(key, 'read')) return loginPage(to, `The API key '${key.name}' does not have the scope 'read'.`);
          sessions.end(tokenOf(request));
          return { to, token: sessions.begin(key) };
        },
      },
      {
        method: 'POST',
        path: '/ui/logout',
        isOpen: true,
        answer: (request) => {
          sessions.end(tokenOf(request));
          return { to: '/ui/login', token: '' };
        },
      },
    ];
  }
}

function pagesOf(deps: PageDeps): readonly PageRoute[] {
  const get = (path: string, answer: PageRoute['answer']): PageRoute => ({ method: 'GET', path, answer });
  return [
    get('/ui/', () => viewsPage(deps)),
    get('/ui/views/{name}', (request) => viewPage(deps, nameOf(request))),
    get('/ui/entity', (request) => entityPage(deps, queryOf(request))),
    {
      method: 'POST',
      path: '/ui/entity',
      answer: (request) => entityPage(deps, queryOf(request), formOf(request)),
    },
    get('/ui/tables', () => tablesPage(deps)),
    get('/ui/tables/{name}', (request) => tablePage(deps, nameOf(request))),
    get('/ui/runs', (request) => runsPage(deps, queryOf(request).get('view'))),
    get('/ui/errors', () => errorsPage(deps.errors)),
    { method: 'GET', path: '/docs', isOpen: true, answer: () => apiPage(deps.document) },
  ];
}

function filesAndRedirects(): readonly PageRoute[] {
  const open = (path: string, answer: PageAnswer): PageRoute => ({
    method: 'GET',
    path,
    isOpen: true,
    answer: () => answer,
  });
  return [
    open('/', { to: '/ui/' }),
    open('/ui', { to: '/ui/' }),
    open('/ui/style.css', { type: 'text/css; charset=utf-8', content: STYLE }),
    open('/ui/icon.svg', { type: 'image/svg+xml', content: ICON }),
  ];
}

const nameOf = ({ params }: FastifyRequest): string => (params as { readonly name: string }).name;

function queryOf({ url }: FastifyRequest): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
}

/** What was sent; undefined: nothing was. */
const formOf = ({ body }: FastifyRequest): URLSearchParams | undefined => body as URLSearchParams | undefined;

/** Bodies of other types are for the API. @throws MEDIA_TYPE_UNSUPPORTED */
function requireForm({ headers }: FastifyRequest): void {
  const type = mediaTypeOf(headers);
  if (type === '' || type === FORM_TYPE) return;
  throw new MoraineError('MEDIA_TYPE_UNSUPPORTED', `The page takes a form, and the body is of type ${type}.`, {
    remedy: `Send a form, with the header \`content-type: ${FORM_TYPE}\`.`,
  });
}

function tokenOf({ headers }: FastifyRequest): string | undefined {
  return new RegExp(`(?:^|;)\\s*${COOKIE}=([\\w-]+)`).exec(headers.cookie ?? '')?.[1];
}

/** Behind a proxy with TLS the cookie must not be sent without it, either. */
function cookieOf({ protocol, headers }: FastifyRequest, token: string): string {
  const isSecure = protocol === 'https' || headers['x-forwarded-proto'] === 'https';
  const maxAgeS = token === '' ? 0 : SESSION_MS / 1000;
  return `${COOKIE}=${token}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
}

/** Forms of other sites are refused. Browsers say where a form comes from; `origin` alone fails behind proxies that change the host. */
function requireSameOrigin({ headers }: FastifyRequest): void {
  const { origin, host, 'sec-fetch-site': site } = headers;
  if (site === 'same-origin' || site === 'none') return;
  const isOwn = origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
  if (site === undefined && isOwn) return;
  throw new MoraineError('PERMISSION_DENIED', 'The form was sent from a page of another site.');
}
