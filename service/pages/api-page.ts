/** The routes of the service for people, from the OpenAPI document. */

import { ERROR_ANSWER } from '../schemas.js';
import { type Html, html } from './html.js';
import type { Page } from './page.js';
import { factsOf, tableOf } from './parts.js';

/** The parts of a JSON schema that our own schemas use. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly examples?: readonly unknown[];
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

interface Content {
  readonly [mediaType: string]: { readonly schema?: Schema };
}

interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly description?: string }>>;
  readonly content?: Content;
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  /** Scopes of the API key. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
}

interface Document {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export function apiPage(document: object): Page {
  const { info, paths } = document as Document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const body = html`<p class="lead">The HTTP API of Moraine ${info.version}. Programs read <a href="/openapi.json">openapi.json</a>.</p>
<nav aria-label="Operations"><ul>${operations.map(
    ({ method, path }) => html`<li><a href="#${anchorOf(method, path)}"><code>${method} ${path}</code></a></li>`,
  )}</ul></nav>
${operations.map(operationOf)}
<section class="operation" id="errors"><h2>Errors</h2>
<p>The body of every error, unless a path says otherwise.</p>
${contentOf('Body of an error', { 'application/json': { schema: ERROR_ANSWER } })}</section>`;
  return { title: 'HTTP API', place: '/docs', body };
}

const anchorOf = (method: string, path: string): string =>
  `${method}${path}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/-$/, '');

interface NamedOperation {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

function operationOf({ path, method, operation }: NamedOperation): Html {
  const { summary, description, security, parameters = [], requestBody, responses } = operation;
  return html`<section class="operation" id="${anchorOf(method, path)}">
<h2><span class="method">${method}</span> <code>${path}</code></h2>
<p>${summary}</p>
${description !== undefined && html`<p>${description}</p>`}
<p class="soft">${keyText(security)}</p>
${parameters.length > 0 && tableOf('Parameters', ['Name', 'In', { name: 'Meaning', kind: 'wide' }], parameters.map(parameterOf))}
${requestBody !== undefined && html`<h3>Body</h3>${contentOf(`Body of ${method} ${path}`, requestBody.content)}`}
${answersOf(`${method} ${path}`, responses)}
</section>`;
}

function keyText(security: Operation['security']): string {
  const scopes = (security ?? []).flatMap((schemes) => Object.values(schemes).flat());
  if (scopes.length === 0) return 'No API key is needed.';
  return `Needs an API key with the scope ${scopes.join(' or ')} where keys are on.`;
}

const parameterOf = ({ name, in: place, description }: Parameter) => [html`<code>${name}</code>`, place, description];

const ERROR_SCHEMA = JSON.stringify(ERROR_ANSWER);
const isCommonError = ({ content = {} }: Answer): boolean =>
  JSON.stringify(content['application/json']?.schema) === ERROR_SCHEMA;

/** Answers that have a body of their own, and the statuses of those with the body of all errors. */
function answersOf(operation: string, responses: Operation['responses']): Html {
  const answers = Object.entries(responses);
  const errors = answers.filter(([, answer]) => isCommonError(answer)).map(([status]) => status);
  return html`${answers.filter(([, answer]) => !isCommonError(answer)).map(([status, answer]) => answerOf(operation, status, answer))}
${errors.length > 0 && html`<p class="soft"><a href="#errors">Errors</a>: ${errors.join(', ')}</p>`}`;
}

function answerOf(operation: string, status: string, { headers = {}, content = {} }: Answer): Html {
  const facts = Object.entries(headers).map(([name, { description }]) => [name, description] as const);
  return html`<h3>Answer ${status}</h3>
${facts.length > 0 && factsOf(facts)}
${contentOf(`Answer ${status} of ${operation}`, content)}`;
}

function contentOf(caption: string, content: Content): Html {
  return html`${Object.entries(content).map(([mediaType, { schema }]) => {
    const fields = schema === undefined ? [] : fieldsOf(schema);
    const example = schema?.examples?.[0];
    return html`<p><code>${mediaType}</code>${schema !== undefined && fields.length === 0 && html`: ${typeOf(schema)}`}</p>
${fields.length > 0 && tableOf(caption, ['Field', 'Type', { name: 'Meaning', kind: 'wide' }], fields)}
${example !== undefined && html`<p class="soft">Example</p><pre>${JSON.stringify(example, undefined, 2)}</pre>`}`;
  })}`;
}

type FieldRow = readonly [field: Html, type: string, meaning: string];

/** One row for each field, also of objects and lists within. */
function fieldsOf({ properties = {}, required = [], items }: Schema, prefix = ''): readonly FieldRow[] {
  if (items !== undefined) return fieldsOf(items, `${prefix}[].`);
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const row = [html`<code>${path}</code>`, typeOf(field), meaningOf(field, required.includes(name))] as const;
    return [row, ...fieldsOf(field, field.items === undefined ? `${path}.` : path)];
  });
}

function meaningOf({ description, enum: values, items }: Schema, isNeeded: boolean): string {
  return [
    ...(description === undefined ? [] : [description]),
    ...(values === undefined ? [] : [`One of ${values.map(String).join(', ')}.`]),
    ...(items?.enum === undefined ? [] : [`Of each: one of ${items.enum.map(String).join(', ')}.`]),
    ...(isNeeded ? ['Always there.'] : []),
  ].join(' ');
}

function typeOf({ type, format, items, additionalProperties, anyOf, oneOf }: Schema): string {
  const several = anyOf ?? oneOf;
  if (several !== undefined) return several.map(typeOf).join(' or ');
  const names = (typeof type === 'string' ? [type] : (type ?? ['any'])).map((name) => {
    if (name === 'array' && items !== undefined) return `array of ${typeOf(items)}`;
    if (name === 'object' && typeof additionalProperties === 'object')
      return `object of ${typeOf(additionalProperties)}`;
    return name;
  });
  return `${names.join(' or ')}${format === undefined ? '' : ` (${format})`}`;
}
