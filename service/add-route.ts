/** A path of the service as a route of Fastify: its schemas, its limits, the key that it needs. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MoraineError } from '../errors/index.js';
import { findApiKey, mayUse } from './api-keys.js';
import type { WatchedKeys } from './key-file.js';
import { MAX_BODY_BYTES, type Route, routerPath } from './route.js';
import { roomOnArrival } from './write-arrival.js';

/** What hooks know of a route. A path that is not there has none of it. */
export interface RouteConfig {
  /** Media types of bodies that the handler reads from the connection, and limits itself. */
  readonly streamedTypes?: readonly string[];
  /** What a key must have. */
  readonly scope?: Route['scope'];
}

export function addRoute(app: FastifyInstance, route: Route, keys: WatchedKeys | undefined): void {
  const {
    method,
    path,
    scope,
    query,
    body,
    maxBodyBytes = MAX_BODY_BYTES,
    streamedTypes,
    refuse,
    room,
    handle,
  } = route;
  app.route({
    method,
    url: routerPath(path),
    bodyLimit: maxBodyBytes,
    config: { streamedTypes: streamedTypes ?? [], scope } satisfies RouteConfig,
    schema: {
      ...(query === undefined ? {} : { querystring: query }),
      ...(body === undefined ? {} : { body: { content: { 'application/json': { schema: body } } } }),
    },
    ...(keys === undefined || scope === null
      ? {}
      : { onRequest: async (request) => requireScope(keys, request, scope) }),
    ...(room === undefined ? {} : { preParsing: roomOnArrival(room, maxBodyBytes) }),
    ...(body === undefined ? {} : { preValidation: async (request) => requireBody(request, refuse) }),
    handler: (request, reply) => handle(request, reply),
  });
}

/** Schemas are for bodies that are there. @throws INVALID_ARGUMENT, and what the route refuses */
function requireBody({ body }: FastifyRequest, refuse: Route['refuse']): void {
  if (body === undefined) throw new MoraineError('INVALID_ARGUMENT', 'The request has no body.');
  if (typeof body === 'object' && body !== null) refuse?.(body);
}

/** @throws UNAUTHENTICATED, PERMISSION_DENIED */
function requireScope({ keys }: WatchedKeys, request: FastifyRequest, scope: Exclude<Route['scope'], null>): void {
  const { headers } = request;
  const key = findApiKey(keys, headers.authorization);
  if (key === undefined) {
    const fault = headers.authorization === undefined ? 'has no API key' : 'has an API key that is not known';
    throw new MoraineError('UNAUTHENTICATED', `The request ${fault}.`);
  }
  request.apiKeyId = key.id;
  if (mayUse(key, scope)) return;
  throw new MoraineError(
    'PERMISSION_DENIED',
    `The API key '${key.name}' does not have the scope '${scope}', which this path needs.`,
  );
}
