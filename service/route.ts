/** A path of the service: what it takes, what it answers, and who may use it. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Scope } from './api-keys.js';
import type { WriteRoom } from './write-room.js';

/** One method of one path. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** As OpenAPI writes it: `/tables/{table}`. */
  readonly path: string;
  readonly summary: string;
  /** What a key must have; null: no key is needed. */
  readonly scope: Scope | null;
  /** Schema of the query parameters, all of them texts. */
  readonly query?: QuerySchema;
  readonly body?: object;
  /** Refuses JSON bodies before the schema is applied, where a better reason is known. */
  readonly refuse?: (body: object) => void;
  /** Media types of bodies that the handler gets unread, as a stream. It limits them itself. */
  readonly streamedTypes?: readonly string[];
  /** Bytes that a body may have; {@link MAX_BODY_BYTES} by default. */
  readonly maxBodyBytes?: number;
  /** Where its requests take room when their bodies begin to arrive. */
  readonly room?: WriteRoom;
  /** Statuses that are not errors, each with the schema of its JSON; null: text. */
  readonly answers: Readonly<Record<number, object | null>>;
  /** Media types of the answers; JSON or text unless given. */
  readonly answerTypes?: readonly string[];
  /** Statuses of errors beside those that every path has. */
  readonly errors?: readonly number[];
  /** Names of request headers that it reads, with their meaning. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Names of headers of its answer, with their meaning. */
  readonly answerHeaders?: Readonly<Record<string, string>>;
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => unknown;
}

export interface QuerySchema {
  readonly type: 'object';
  readonly additionalProperties: false;
  readonly properties: Readonly<Record<string, { readonly type: 'string'; readonly description?: string }>>;
}

/** Bytes. */
export const MAX_BODY_BYTES = 2 ** 20;

export const JSON_TYPE = 'application/json; charset=utf-8';

/** A path as Fastify takes it: it has `:name` where ours, as OpenAPI, have `{name}`. */
export const routerPath = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1');
