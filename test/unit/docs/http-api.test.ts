/** docs/http-api.md and the service's OpenAPI document say the same, both ways. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { knownKeysAt } from '../../../config/config-schema.js';
import { parseConfig } from '../../../config/index.js';
import { FeatureLab } from '../../support/feature-lab.js';
import { startLabService } from '../../support/lab-service.js';
import { projectRoot } from '../../support/paths.js';

interface Answer {
  readonly headers?: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly security?: readonly [{ readonly key: readonly string[] }];
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: { readonly properties: object } } };
  };
  readonly responses: Readonly<Record<string, Answer>>;
}

const page = readFileSync(join(projectRoot, 'docs/http-api.md'), 'utf8');

/** `METHOD /path` -> operation. */
const operations = new Map<string, Operation>();
beforeAll(async () => {
  const lab = await FeatureLab.open();
  const { get, close } = await startLabService(lab);
  const { body } = await get('/openapi.json');
  await close();
  await lab.close();
  const paths = body['paths'] as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  for (const [path, methods] of Object.entries(paths))
    for (const [method, operation] of Object.entries(methods))
      operations.set(`${method.toUpperCase()} ${path}`, operation);
});

/** The text below a heading, without that of the next one of its level. */
function sectionOf(heading: string): string {
  const level = /^#+ /m.exec(heading)?.[0] ?? '';
  const [, text] = page.split(`\n${heading}\n`);
  if (text === undefined) throw new Error(`no heading ${heading}`);
  return text.split(new RegExp(`^#{1,${level.length - 1}} `, 'm'))[0] ?? '';
}

const rowsOf = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.split('|').map((cell) => cell.trim()));

/** What an expression captures in a text, each once, in order. */
const found = (text: string, expression: RegExp): readonly string[] =>
  [...new Set([...text.matchAll(expression)].map(([, captured = '']) => captured))].sort();

const METHOD_AND_PATH = /((?:GET|POST) \/[\w{}/.-]*[\w}])/g;

/** The headings of paths, with the operations that they name. */
const headings = page
  .split('\n')
  .filter((line) => line.startsWith('### '))
  .map((heading) => ({ heading, names: found(heading, METHOD_AND_PATH) }))
  .filter(({ names }) => names.length > 0);

function operationOf(name: string): Operation {
  const operation = operations.get(name);
  if (operation === undefined) throw new Error(`the OpenAPI document has no ${name}`);
  return operation;
}

const isError = (status: string): boolean => Number(status) >= 400;

/** Headers of requests and answers. */
function headersOf({ parameters, responses }: Operation, whenError: boolean): readonly string[] {
  const answered = Object.entries(responses).filter(([status]) => isError(status) === whenError);
  const inAnswers = answered.flatMap(([, { headers = {} }]) => Object.keys(headers));
  return whenError ? inAnswers : [...parameters.flatMap((one) => (one.in === 'header' ? one.name : [])), ...inAnswers];
}

const all = (names: Iterable<string>): readonly string[] => [...new Set(names)].sort();

test('the table of paths has the methods, paths and scopes of the document, and no others', () => {
  const table = sectionOf('## Paths').split('\n### ')[0] ?? '';
  const listed = rowsOf(table).flatMap(([, paths = '', scope = '']) =>
    found(paths, METHOD_AND_PATH).map((name) => `${name} ${scope}`),
  );
  const documented = [...operations].map(([name, { security }]) => `${name} ${security?.[0].key.join() ?? ''}`);
  expect(documented.length).toBeGreaterThan(15);
  expect(listed.toSorted()).toEqual(documented.toSorted());
});

test('no other method of a path is named', () => {
  const named = found(page, METHOD_AND_PATH);
  expect(named.filter((name) => !operations.has(name))).toEqual([]);
});

test('a section about a path names its headers, and no others', () => {
  expect(headings.length).toBeGreaterThan(6);
  for (const { heading, names } of headings) {
    const documented = all(names.flatMap((name) => headersOf(operationOf(name), false)));
    const named = found(sectionOf(heading), /`(Moraine-[\w-]+|Idempotency-Key)/g);
    // Writes say how reads see them.
    const others = /write-to-online-store|push/.test(heading) ? ['Moraine-Min-Snapshot'] : [];
    expect({ heading, named: named.filter((name) => !others.includes(name)) }).toEqual({ heading, named: documented });
  }
  const inSections = new Set(headings.flatMap(({ names }) => names));
  const elsewhere = [...operations].filter(([name]) => !inSections.has(name));
  expect(elsewhere.filter(([, operation]) => headersOf(operation, false).length > 0)).toEqual([]);
});

test('headers of errors are named where the errors are', () => {
  const documented = all([...operations.values()].flatMap((operation) => headersOf(operation, true)));
  // A method that is not there is in no operation.
  expect(all([...documented, 'Allow'])).toEqual(
    found(sectionOf('## Errors'), /`(Allow|Retry-After|WWW-Authenticate|Moraine-[\w-]+)/g),
  );
});

test('a table of the fields of a body has those of its schema, and no others', () => {
  const tables = headings.filter(({ heading }) => sectionOf(heading).includes('| field of the body |'));
  expect(tables.length).toBeGreaterThan(5);
  for (const { heading, names } of tables) {
    const table = /\| field of the body \|.*\n((?:\|.*\n)+)/.exec(sectionOf(heading))?.[1] ?? '';
    const fields = found(
      rowsOf(table)
        .map(([, first = '']) => first)
        .join(),
      /`(\w+)`/g,
    );
    const bodies = names.map((name) => operationOf(name).requestBody?.content['application/json'].schema.properties);
    expect({ heading, fields }).toEqual({ heading, fields: all(bodies.flatMap((body) => Object.keys(body ?? {}))) });
  }
});

test('the statuses of errors are those of the document, and that of a method that is not there', () => {
  const documented = [...operations.values()].flatMap(({ responses }) => Object.keys(responses).filter(isError));
  const listed = rowsOf(sectionOf('## Errors')).flatMap(([, statuses = '']) => statuses.match(/\d+/g) ?? []);
  expect(listed.toSorted()).toEqual(all([...documented, '405']));
});

test('a section about a path names its query parameters, and no others', () => {
  const inQuery = (name: string) => operationOf(name).parameters.flatMap((one) => (one.in === 'query' ? one.name : []));
  for (const { heading, names } of headings) {
    const documented = all(names.flatMap(inQuery));
    const section = sectionOf(heading);
    const named = documented.filter((name) => new RegExp(`[?&\`]${name}[=\`]`).test(section));
    expect({ heading, named }).toEqual({ heading, named: documented });
    expect({ heading, others: found(section, /[?&](\w+)=/g).filter((name) => !documented.includes(name)) }).toEqual({
      heading,
      others: [],
    });
  }
  const inSections = new Set(headings.flatMap(({ names }) => names));
  expect([...operations.keys()].filter((name) => !inSections.has(name) && inQuery(name).length > 0)).toEqual([]);
});

test('the table of settings has those of the schema, with their defaults', () => {
  const table = rowsOf(sectionOf('## Configuration')).slice(1);
  const listed = table.flatMap(([, keys = '', defaults = '']) => {
    const names = found(keys, /`(\w+)`/g);
    const values = defaults.split(', ');
    expect([keys, values.length]).toEqual([keys, names.length]);
    return (keys.match(/\w+/g) ?? []).map((name, place) => [name, values[place] ?? ''] as const);
  });
  expect(listed.map(([name]) => name).toSorted()).toEqual(knownKeysAt(['server']).toSorted());
  const { keyFile: keys, ...server } = parseConfig('{}', { file: '/p/moraine.yaml', env: {} }).server;
  const shown = (value: unknown): string => {
    if (value === undefined || (value instanceof Map && value.size === 0)) return 'none';
    if (typeof value !== 'number') return value as string;
    return value >= 2 ** 20 && value % 2 ** 20 === 0 ? `${value / 2 ** 20} MiB` : value.toLocaleString('en-US');
  };
  const { port, ...rest } = { ...server, keys } as Readonly<Record<string, unknown>>;
  const expected = listed.map(([name]) => [name, name === 'port' ? String(port) : shown(rest[name])]);
  expect(listed.map(([name, text]) => [name, text.replaceAll('`', '')])).toEqual(expected);
});
