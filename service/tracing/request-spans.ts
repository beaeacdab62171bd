/**
 * A span for each request of the service, by OpenTelemetry's semantic conventions of HTTP. Queries, headers and addresses of clients
 * are left out: they may hold entities or name people. Loaded only if tracing is configured.
 */
import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorAnswer } from '../http-error.js';
import { traceWork } from './work-spans.js';

interface TracedRequest {
  readonly span: Span;
  readonly context: Context;
  /** Code of the error that is answered. */
  errorCode?: string;
}

/** Methods that the conventions know. */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE']);
/** The error of a request whose client left, or was cut off, before it had the whole answer. */
const CUT = 'aborted';

/** Adds the hooks that trace. Log lines of a request have its `trace_id` and `span_id`. */
export function traceRequests(app: FastifyInstance): void {
  const tracer = trace.getTracer('moraine');
  traceWork(tracer);
  const traced = new WeakMap<FastifyRequest, TracedRequest>();
  app.addHook('onRequest', (request, reply, done) => {
    const entry = startSpan(tracer, request);
    traced.set(request, entry);
    const { traceId, spanId } = entry.span.spanContext();
    request.log = request.log.child({ trace_id: traceId, span_id: spanId });
    reply.log = request.log;
    reply.raw.once('close', () => endSpan(entry, reply));
    done();
  });
  // Not before: the arrival of a body does not keep the context.
  app.addHook('preValidation', (request, _, done) =>
    context.with(traced.get(request)?.context ?? context.active(), done),
  );
  app.addHook('onError', (request, _, error, done) => {
    const entry = traced.get(request);
    if (entry !== undefined) entry.errorCode = errorAnswer(error).body.code;
    done();
  });
}

/** The span's parent is the caller's, if its headers name one. */
function startSpan(tracer: Tracer, request: FastifyRequest): TracedRequest {
  const { method, protocol, url, routeOptions, raw, headers } = request;
  const isKnown = METHODS.has(method);
  const route = routeOptions.url;
  const parent = propagation.extract(ROOT_CONTEXT, headers);
  const name = isKnown ? method : 'HTTP';
  const attributes = {
    'http.request.method': isKnown ? method : '_OTHER',
    ...(isKnown ? {} : { 'http.request.method_original': method }),
    ...(route === undefined ? {} : { 'http.route': route }),
    'url.path': url.replace(/[?#].*$/s, ''),
    'url.scheme': protocol,
    'network.protocol.version': raw.httpVersion,
  };
  const kind = SpanKind.SERVER;
  const span = tracer.startSpan(route === undefined ? name : `${name} ${route}`, { kind, attributes }, parent);
  return { span, context: trace.setSpan(parent, span) };
}

/** A request that is refused is not a failure of the service. */
function endSpan({ span, errorCode }: TracedRequest, { raw }: FastifyReply): void {
  const { headersSent, statusCode, writableFinished } = raw;
  if (headersSent) span.setAttribute('http.response.status_code', statusCode);
  if (!writableFinished) fail(span, CUT);
  else if (statusCode >= 500) fail(span, errorCode ?? String(statusCode));
  span.end();
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}
