/** The OpenAPI document of the service, from the schemas that validate. */
import type { Route } from './route.js';
import { ERROR_ANSWER } from './schemas.js';

/** @param version of the package */
export function openApiDocument(routes: readonly Route[], version: string): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Moraine', version, description: 'Online features from Apache Iceberg. See docs/http-api.md.' },
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    paths: Object.fromEntries(
      routes.map((route) => [route.path, { [route.method.toLowerCase()]: operationOf(route) }]),
    ),
  };
}

function operationOf({ summary, scope, body, answers, headers = {}, answerHeaders = {} }: Route): object {
  const described = Object.entries(answerHeaders).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ]);
  const succeeded = Object.entries(answers).map(([status, schema]) => [
    status,
    {
      description: summary,
      ...(described.length > 0 ? { headers: Object.fromEntries(described) as object } : {}),
      content: contentOf(schema),
    },
  ]);
  return {
    summary,
    ...(scope === null ? {} : { security: [{ key: [] }] }),
    parameters: Object.entries(headers).map(([name, description]) => ({
      name,
      in: 'header',
      description,
      schema: { type: 'string' },
    })),
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentOf(body) } }),
    responses: {
      ...(Object.fromEntries(succeeded) as object),
      default: { description: 'An error.', content: contentOf(ERROR_ANSWER) },
    },
  };
}

function contentOf(schema: object | null): object {
  return schema === null ? { 'text/plain': {} } : { 'application/json': { schema } };
}
