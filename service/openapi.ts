/** The OpenAPI document of the service, from the schemas that validate. */
import { STATUS_CODES } from 'node:http';
import type { Route } from './route.js';
import { ERROR_ANSWER } from './schemas.js';

/** @param version of the package */
export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, object> = {};
  for (const route of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  return {
    openapi: '3.1.0',
    info: { title: 'Moraine', version, description: 'Online features from Apache Iceberg. See docs/http-api.md.' },
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    paths,
  };
}

function operationOf(route: Route): object {
  const { summary, scope, body, streamedTypes = [], answers, answerTypes, answerHeaders = {} } = route;
  const succeeded = Object.entries(answers).map(([status, schema]) => [
    status,
    {
      description: summary,
      ...headersOf(answerHeaders),
      content: { ...contentOf(schema), ...binaryContent(answerTypes ?? []) },
    },
  ]);
  return {
    summary,
    // The roles of OpenAPI 3.1 (Security Requirement Object): the scope that a key must have.
    ...(scope === null ? {} : { security: [{ key: [scope] }] }),
    parameters: parametersOf(route),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { ...contentOf(body), ...binaryContent(streamedTypes) } } }),
    responses: {
      ...Object.fromEntries(errorsOf(route).map((status) => [status, errorAnswer(status)])),
      ...(Object.fromEntries(succeeded) as object),
    },
  };
}

function parametersOf({ path, query, headers = {} }: Route): readonly object[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
  const inQuery = Object.entries(query?.properties ?? {}).map(([name, { description, ...schema }]) => {
    return { name, in: 'query', description, schema };
  });
  const inHeader = Object.entries(headers).map(([name, description]) => {
    return { name, in: 'header', description, schema: { type: 'string' } };
  });
  return [...inPath, ...inQuery, ...inHeader];
}

/** The statuses of errors of a path: those that its kind has, and its own. */
function errorsOf({ scope, body, errors = [] }: Route): readonly number[] {
  return [400, ...(scope === null ? [] : [401, 403]), 408, ...(body === undefined ? [] : [413, 415]), 500, ...errors];
}

/** Headers of errors, by their status. */
const ERROR_HEADERS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  401: { 'WWW-Authenticate': 'Bearer.' },
  429: { 'Retry-After': 'Seconds after which the request may be repeated.' },
  503: { 'Retry-After': 'Seconds after which the request may be repeated.' },
};

function errorAnswer(status: number): object {
  return {
    description: STATUS_CODES[status] ?? 'An error.',
    ...headersOf(ERROR_HEADERS[status] ?? {}),
    content: contentOf(ERROR_ANSWER),
  };
}

/** @param headers their meanings by name */
function headersOf(headers: Readonly<Record<string, string>>): object {
  const described = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ]);
  return described.length > 0 ? { headers: Object.fromEntries(described) as object } : {};
}

/** Bodies that are not JSON. */
function binaryContent(types: readonly string[]): object {
  const others = types.filter((type) => type !== 'application/json');
  return Object.fromEntries(others.map((type) => [type, { schema: { type: 'string', format: 'binary' } }]));
}

function contentOf(schema: object | null): object {
  return schema === null ? { 'text/plain': {} } : { 'application/json': { schema } };
}
