/**
 * Lambdas in SQL, nested at linear cost.
 *
 * DuckDB looks at the body of a lambda twice while it resolves names, so a statement with lambdas nested d deep takes time in 2^d. It does
 * not look into macros. Therefore a body that holds many lambdas becomes a macro, which a connection makes before a statement uses it.
 */
import { createHash } from 'node:crypto';

/** A body with more lambdas inside becomes a macro. A macro costs a statement of its own on each connection. */
const MAX_LAMBDAS_INSIDE = 3;
/** Definitions that are remembered; a statement runs soon after it was composed. */
const MAX_MACROS = 10_000;

const MACRO_NAME = /moraine_body_[0-9a-f]{32}/g;

/** Macros by name, newest last. A name is the hash of the definition, so it always means the same. */
const definitions = new Map<string, string>();

/**
 * SQL of a list whose elements went through a lambda.
 * @param parameters names of the element and, if there are two, of its place from 1
 * @param body SQL of the new element; its only column names are the parameters
 */
export function listTransformSql(list: string, parameters: readonly string[], body: string): string {
  return `list_transform(${list}, lambda ${parameters.join(', ')}: ${withoutDepth(parameters, body)})`;
}

/** The body itself, or a call of a macro that stands for it. */
function withoutDepth(parameters: readonly string[], body: string): string {
  const lambdas = body.match(/\blambda\b/g)?.length ?? 0;
  if (lambdas <= MAX_LAMBDAS_INSIDE) return body;
  const definition = `(${parameters.join(', ')}) AS ${body}`;
  const name = `moraine_body_${createHash('sha256').update(definition).digest('hex').slice(0, 32)}`;
  remember(name, definition);
  return `${name}(${parameters.join(', ')})`;
}

function remember(name: string, definition: string): void {
  definitions.delete(name);
  definitions.set(name, definition);
  const [oldest] = definitions.keys();
  if (definitions.size > MAX_MACROS && oldest !== undefined) definitions.delete(oldest);
}

/** Statements that make the macros of a statement, those that others need first; `made` has what the connection has already. */
export function macroStatements(sql: string, made: ReadonlySet<string>): ReadonlyMap<string, string> {
  const statements = new Map<string, string>();
  const visit = (text: string): void => {
    for (const [name] of text.matchAll(MACRO_NAME)) {
      const definition = definitions.get(name);
      if (definition === undefined || made.has(name) || statements.has(name)) continue;
      visit(definition);
      statements.set(name, `CREATE OR REPLACE TEMPORARY MACRO ${name}${definition}`);
    }
  };
  visit(sql);
  return statements;
}
