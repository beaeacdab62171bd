/**
 * The limits of a user's query, checked in its syntax tree before it runs: it may read the tables that were named for it, and nothing of
 * the process, the engine or the machine. The engine that runs it is locked as well; this keeps its settings out of sight.
 */
import { didYouMean, MoraineError } from '../../errors/index.js';

/** A table as a query names it. */
export interface QueriedTable {
  /** Empty unless the name has two parts. */
  readonly schema: string;
  readonly name: string;
}

/** Functions in FROM that read nothing but their arguments. */
const TABLE_FUNCTIONS: ReadonlySet<string> = new Set(['unnest', 'range', 'generate_series', 'repeat', 'repeat_row']);

/** Functions that see or change the engine instead of values. Those that make values of nothing but chance stay allowed. */
const REFUSED_FUNCTIONS: ReadonlySet<string> = new Set([
  ...['current_setting', 'getvariable', 'getenv', 'current_query', 'current_schemas', 'in_search_path', 'which_secret'],
  ...['write_log', 'parse_duckdb_log_message', 'stats', 'sleep_ms', 'pg_sleep', 'setseed', 'nextval', 'currval'],
  ...[
    'pg_get_viewdef',
    'pg_get_constraintdef',
    'json_execute_serialized_sql',
    'json_deserialize_sql',
    'sql_auto_complete',
  ],
]);

/** Longest query that is read. */
const MAX_QUERY_LENGTH = 1_000_000;

type Node = Readonly<Record<string, unknown>>;

/**
 * Looks over the answer of DuckDB's `json_serialize_sql` and gives the tables that the query names, each once.
 * @param what how the query is called in an error, such as `the entity SQL`
 * @throws INVALID_ARGUMENT for anything but one SELECT that keeps to the rules
 */
export function tablesOfQuery(serialized: string, what: string): readonly QueriedTable[] {
  const parsed = JSON.parse(serialized) as Node;
  if (parsed['error'] === true) {
    const reason = parsed['error_type'] === 'parser' ? String(parsed['error_message']) : 'only one SELECT is taken';
    const position = typeof parsed['position'] === 'string' ? ` at character ${Number(parsed['position']) + 1}` : '';
    throw refused(what, `${reason}${position}`);
  }
  const statements = parsed['statements'];
  if (!Array.isArray(statements) || statements.length !== 1) throw refused(what, 'only one SELECT is taken');
  const walk = new QueryWalk(what);
  walk.visit(statements[0], new Set());
  return [...walk.tables.values()];
}

/** @throws LIMIT_EXCEEDED */
export function refuseLongQuery(sql: string, what: string): void {
  if (sql.length <= MAX_QUERY_LENGTH) return;
  throw new MoraineError('LIMIT_EXCEEDED', `${capital(what)} is longer than ${MAX_QUERY_LENGTH} characters.`);
}

/** A refusal of a user's query. */
export function refused(what: string, reason: string, cause?: unknown): MoraineError {
  return new MoraineError('INVALID_ARGUMENT', `${capital(what)} cannot be run: ${reason}.`, { cause });
}

class QueryWalk {
  readonly tables = new Map<string, QueriedTable>();
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  /** @param inScope names that WITH gives to sub-queries here, in lower case */
  visit(value: unknown, inScope: ReadonlySet<string>): void {
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item, inScope);
    } else if (typeof value === 'object' && value !== null) {
      this.#visitNode(value as Node, inScope);
    }
  }

  #visitNode(node: Node, outer: ReadonlySet<string>): void {
    const inScope = new Set([...outer, ...namesOfWith(node)]);
    if (node['type'] === 'BASE_TABLE') this.#table(node, inScope);
    else if (node['type'] === 'TABLE_FUNCTION') this.#tableFunction(node);
    else if (node['type'] === 'SHOW_REF') throw refused(this.#what, 'SHOW and DESCRIBE are not taken');
    else if (node['class'] === 'FUNCTION') this.#function(node, REFUSED_FUNCTIONS);
    for (const child of Object.values(node)) this.visit(child, inScope);
  }

  #table(node: Node, inScope: ReadonlySet<string>): void {
    const [catalog, schema, name] = [text(node['catalog_name']), text(node['schema_name']), text(node['table_name'])];
    if (catalog !== '') {
      throw refused(this.#what, `the name ${catalog}.${schema}.${name} has three parts; give that table an alias`);
    }
    if (schema === '' && inScope.has(name.toLowerCase())) return;
    this.tables.set(`${schema}\u0000${name}`.toLowerCase(), { schema, name });
  }

  #tableFunction(node: Node): void {
    const name = text((node['function'] as Node | undefined)?.['function_name']);
    if (TABLE_FUNCTIONS.has(name.toLowerCase())) return;
    throw refused(this.#what, `${name}() cannot stand in FROM; tables are read by the names that are given for them`);
  }

  #function(node: Node, deny: ReadonlySet<string>): void {
    const name = text(node['function_name']);
    if (deny.has(name.toLowerCase())) throw refused(this.#what, `the function ${name}() is not allowed`);
  }
}

/** Names that a query node gives to sub-queries, in lower case. */
function namesOfWith(node: Node): readonly string[] {
  const entries = (node['cte_map'] as Node | undefined)?.['map'];
  const named = Array.isArray(entries) ? entries.map((entry: Node) => text(entry['key']).toLowerCase()) : [];
  return typeof node['cte_name'] === 'string' ? [...named, node['cte_name'].toLowerCase()] : named;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** @throws TABLE_NOT_FOUND for a name without a table behind it */
export function unknownTable(table: QueriedTable, names: Iterable<string>, what: string): MoraineError {
  const advice = 'Write NAMESPACE.TABLE, or give the name a table (--table NAME=NAMESPACE.TABLE).';
  return new MoraineError(
    'TABLE_NOT_FOUND',
    `${capital(what)} reads '${table.name}', and no table is called so. ${didYouMean(table.name, names)} ${advice}`,
  );
}

const capital = (what: string): string => what.charAt(0).toUpperCase() + what.slice(1);
