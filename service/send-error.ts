/** How errors leave the service: as JSON, or as a page for those who look with a browser; and what is kept of them. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Negotiator from 'negotiator';
import { didYouMean, ERROR_TABLE, MoraineError } from '../errors/index.js';
import { type ErrorAnswer, errorAnswer } from './http-error.js';
import { errorPage } from './pages/error-page.js';
import { sendPage } from './pages/page.js';
import type { RecentErrors } from './recent-errors.js';

type SendError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply;

/** Logs an error and keeps it. @returns what is answered */
type NoteError = (error: unknown, request: FastifyRequest) => ErrorAnswer;

/** @param errors takes every error that is noted */
export function errorNoter(errors: RecentErrors): NoteError {
  return (error, request) => {
    const answer = errorAnswer(error, request.routeOptions.bodyLimit);
    const { status, body } = answer;
    const { method, routeOptions } = request;
    const message = messageToKeep(answer);
    const entry = { method, path: routeOptions.url, status, code: body.code };
    if (status >= 500) request.log.error({ ...entry, err: error }, message);
    else request.log.info(entry, message);
    errors.add({ ...entry, atMs: Date.now(), path: routeOptions.url ?? pathOf(request), message });
    return answer;
  };
}

export function errorSender(note: NoteError): SendError {
  return (error, request, reply) => {
    // The end of a late body is an error, too, which nobody is answered any more.
    const answer = request.isLate ? errorAnswer(error) : note(error, request);
    const { status, body, headers } = answer;
    reply.status(status).headers(headers);
    return looksWithBrowser(request) ? sendPage(reply, errorPage(answer), NOBODY) : reply.send(body);
  };
}

const NOBODY = { keyName: null };

/** Browsers prefer HTML, and ask for what is there or send forms of the pages. Programs that take anything get JSON. */
function looksWithBrowser(request: FastifyRequest): boolean {
  const { headers, method } = request;
  const type = new Negotiator({ headers }).mediaType(['application/json', 'text/html']);
  return type === 'text/html' && (method === 'GET' || method === 'HEAD' || pathOf(request).startsWith('/ui/'));
}

/** A message about what was sent may quote it, and keys, entities and values must not be kept. */
function messageToKeep({ status, body: { error, code } }: ErrorAnswer): string {
  return status === 400 || status === 422 ? ERROR_TABLE[code].meaning : error;
}

/** A path or method that no route has. The header `Allow` is set where the path has other methods. */
export function notFound(
  routes: readonly { readonly method: string; readonly path: string }[],
  request: FastifyRequest,
  reply: FastifyReply,
): MoraineError {
  const path = pathOf(request);
  const methods = routes.filter((route) => matches(route.path, wholePathOf(request))).map((route) => route.method);
  if (methods.length === 0) {
    const paths = routes.map((route) => route.path);
    return new MoraineError('PATH_NOT_FOUND', `The service has no path ${path}. ${didYouMean(path, paths)}`);
  }
  const allowed = [...new Set(methods.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])))].join(', ');
  reply.header('allow', allowed);
  return new MoraineError('METHOD_NOT_ALLOWED', `The path ${path} has no method ${request.method}; it has ${allowed}.`);
}

/** Whether a path is one of a route, whose names in braces stand for parts of a path. */
function matches(route: string, path: string): boolean {
  const [parts, given] = [route.split('/'), path.split('/')];
  return parts.length === given.length && parts.every((part, index) => part.startsWith('{') || part === given[index]);
}

/** Without the query. */
const wholePathOf = ({ url }: FastifyRequest): string => url.replace(/[?#].*$/s, '');

/** For messages. */
const pathOf = (request: FastifyRequest): string => wholePathOf(request).slice(0, 200);

/** Node's code for a request that has not arrived in time. */
const LATE = 'ERR_HTTP_REQUEST_TIMEOUT';

/** Answers what Node refuses before there is a request. */
export function clientErrorHandler(error: Error & { readonly code: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const refusal =
    error.code === LATE
      ? lateError()
      : new MoraineError('INVALID_ARGUMENT', `The request is not HTTP that can be read: ${error.message}.`);
  endWith(refusal, socket);
}

export const lateError = (): MoraineError =>
  new MoraineError('REQUEST_TIMED_OUT', 'The request did not arrive in time (server.requestTimeoutMs).');

/** Writes an answer to a connection whose request has not arrived, and nothing after it. */
export function endWith(error: MoraineError, socket: Socket): void {
  const { status, body } = errorAnswer(error);
  const json = JSON.stringify(body);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(json)}\r\nconnection: close\r\n\r\n${json}`);
}
