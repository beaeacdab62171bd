/** Table names as people write them: `[CATALOG/]NAMESPACE.TABLE`. */
import { MoraineError } from '../errors/index.js';
import type { TableIdentifier } from './catalog.js';

/** A parsed name; without `catalog` the default one is meant. */
export interface QualifiedTableName {
  readonly catalog?: string;
  readonly identifier: TableIdentifier;
}

interface Token {
  readonly part: string;
  /** The character after the part: a dot, a slash, or the end. */
  readonly separator: string;
}

// A part is plain (no dot, slash, quote or control character) or quoted, where a doubled quote stands for one.
const PART = /(?:"((?:[^"]|"")*)"|([^."/\p{Cc}]+))([./]|$)/uy;
const PLAIN = /^[^."/\s\p{Cc}]+$/u;

function malformed(text: string, reason: string): MoraineError {
  const message = `Table name ${JSON.stringify(text)} is malformed: ${reason}. Write [CATALOG/]NAMESPACE.TABLE, parts that contain dots or slashes in double quotes.`;
  return new MoraineError('INVALID_ARGUMENT', message, { details: { name: text } });
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let position = 0; position < text.length || tokens.at(-1)?.separator; ) {
    PART.lastIndex = position;
    const match = PART.exec(text);
    if (match === null) throw malformed(text, `no name is readable at character ${position + 1}`);
    const part = match[1]?.replaceAll('""', '"') ?? match[2] ?? '';
    if (part === '') throw malformed(text, 'a part is empty');
    tokens.push({ part, separator: match[3] ?? '' });
    position = PART.lastIndex;
  }
  return tokens;
}

/**
 * Parses `[CATALOG/]NAMESPACE.TABLE`; a namespace may have several levels; any part may be in double quotes.
 * @throws MoraineError `INVALID_ARGUMENT`
 */
export function parseTableName(text: string): QualifiedTableName {
  const tokens = tokenize(text);
  const [first] = tokens;
  const hasCatalog = first?.separator === '/';
  const parts = hasCatalog ? tokens.slice(1) : tokens;
  if (parts.some((token) => token.separator === '/')) {
    throw malformed(text, 'a slash is allowed only after the catalog');
  }
  const names = parts.map((token) => token.part);
  const name = names.pop();
  if (name === undefined || names.length === 0) throw malformed(text, 'it needs a namespace and a table');
  const identifier = { namespace: names, name };
  return hasCatalog ? { catalog: first.part, identifier } : { identifier };
}

function formatPart(part: string): string {
  return PLAIN.test(part) ? part : `"${part.replaceAll('"', '""')}"`;
}

/** The text that {@link parseTableName} reads back as this table. */
export function formatTableName(identifier: TableIdentifier, catalog?: string): string {
  const name = [...identifier.namespace, identifier.name].map(formatPart).join('.');
  return catalog === undefined ? name : `${formatPart(catalog)}/${name}`;
}
