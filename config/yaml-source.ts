/** A YAML document that remembers on which line every value is written. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  visit,
} from 'yaml';
import { type Environment, expandEnvironment } from './expand-environment.js';

/** A mistake and the 1-based line it is on. */
export interface SourceProblem {
  readonly line: number;
  readonly message: string;
}

export interface YamlSource {
  /** The document as plain values; an empty document is an empty object. */
  readonly value: unknown;
  readonly problems: readonly SourceProblem[];
  /** The line of the value (or, with `key`, of that key of it) at a path; the nearest line above if it is not there. */
  readonly lineAt: (path: readonly PropertyKey[], key?: string) => number;
  /** Whether the value at a path is written out, not taken from a variable of the environment. */
  readonly isLiteral: (path: readonly PropertyKey[]) => boolean;
  /**
   * The document with numbers and booleans at these paths, as YAML has them, as far as texts stand there that variables gave and nobody
   * quoted. In {@link value} these are texts: the digits of an account or of a password are no number.
   * @returns undefined: there is no such text
   */
  readonly withPlainValues: (paths: readonly (readonly PropertyKey[])[]) => unknown;
}

/** The value of an unquoted scalar after a variable in it was replaced: numbers and booleans as YAML has them. */
function plainValue(text: string): unknown {
  if (/^[-+]?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text;
}

/**
 * Parses YAML (and so JSON).
 *
 * @param env where given, variables in string values (never in the structure) are replaced
 */
export function parseYamlSource(text: string, env?: Environment): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error', version: '1.2' });
  const lineOf = (offset: number): number => lines.linePos(offset).line;
  const problems: SourceProblem[] = document.errors.map((error) => ({
    line: lineOf(error.pos[0]),
    message: `not valid YAML: ${error.message}`,
  }));
  const fromEnvironment = new Set<unknown>();
  const unquoted = new Set<unknown>();
  visit(document, {
    Scalar(position, node) {
      if (env === undefined || position === 'key') return;
      if (typeof node.value !== 'string' || !node.value.includes('${')) return;
      const expanded = expandEnvironment(node.value, env);
      if ('problem' in expanded) problems.push({ line: lineOf(node.range?.[0] ?? 0), message: expanded.problem });
      else {
        node.value = expanded.text;
        fromEnvironment.add(node);
        if (node.type === Scalar.PLAIN) unquoted.add(node);
      }
    },
    Alias(_position, node) {
      if (node.resolve(document) !== undefined) return;
      const message = `the alias *${node.source} has no anchor &${node.source} before it`;
      problems.push({ line: lineOf(node.range?.[0] ?? 0), message });
    },
  });
  const value = problems.length > 0 ? undefined : plainDocument(document, problems);

  const lineAt = (path: readonly PropertyKey[], key?: string): number => {
    let node: unknown = document.contents;
    let line = lineOf((document.contents as Node | null)?.range?.[0] ?? 0);
    for (const step of key === undefined ? path : [...path, key]) {
      if (!isMap(node) && !(typeof node === 'object' && node !== null && 'items' in node)) break;
      const items = (node as { readonly items: readonly unknown[] }).items;
      const item = isMap(node)
        ? items.find((pair) => isPair(pair) && isScalar(pair.key) && pair.key.value === step)
        : items[Number(step)];
      if (item === undefined) break;
      const located = isPair(item) ? item.key : item;
      line = lineOf((located as Node).range?.[0] ?? 0);
      node = isPair(item) ? item.value : item;
    }
    return line;
  };
  const nodeAt = (path: readonly PropertyKey[]): unknown => {
    let node: unknown = document.contents;
    for (const step of path) {
      const within = named(node, document);
      node = isCollection(within) ? within.get(step, true) : undefined;
    }
    return named(node, document);
  };
  const isLiteral = (path: readonly PropertyKey[]): boolean => {
    const node = nodeAt(path);
    return node !== undefined && !fromEnvironment.has(node);
  };
  const withPlainValues = (paths: readonly (readonly PropertyKey[])[]): unknown => {
    const nodes = paths.map(nodeAt).filter((node): node is Scalar => unquoted.has(node));
    for (const node of nodes) node.value = plainValue(String(node.value));
    return nodes.length === 0 ? undefined : plainDocument(document, problems);
  };
  return { value, problems, lineAt, isLiteral, withPlainValues };
}

/** The node that stands for another one, for an alias. */
const named = (node: unknown, document: Document): unknown => (isAlias(node) ? node.resolve(document) : node);

/** The document as plain values. Aliases of aliases that grow without bound become a problem, as does what nests too deep. */
function plainDocument(document: Document, problems: SourceProblem[]): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    if (error instanceof ReferenceError) {
      problems.push({ line: 1, message: 'its aliases stand for too many values; write the values out' });
    } else if (error instanceof RangeError) problems.push({ line: 1, message: 'it nests too deep' });
    else throw error;
    return undefined;
  }
}
