/** A path of the service: what it takes, what it answers, and who may use it. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Scope } from './api-keys.js';

/** One method of one path. */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly summary: string;
  /** What a key must have; null: no key is needed. */
  readonly scope: Scope | null;
  readonly body?: object;
  /** Bytes that a body may have; {@link MAX_BODY_BYTES} by default. */
  readonly maxBodyBytes?: number;
  /** Statuses that are not errors, each with the schema of its JSON; null: text. */
  readonly answers: Readonly<Record<number, object | null>>;
  /** Names of request headers that it reads, with their meaning. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Names of headers of its answer, with their meaning. */
  readonly answerHeaders?: Readonly<Record<string, string>>;
  readonly handle: (request: FastifyRequest, reply: FastifyReply) => unknown;
}

/** Bytes. */
export const MAX_BODY_BYTES = 2 ** 20;

export const JSON_TYPE = 'application/json; charset=utf-8';
