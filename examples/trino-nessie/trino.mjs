/** Statements for Trino, like its own command: `node trino.mjs --execute SQL` or `--file FILE`. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parse } from 'lossless-json';

const { TRINO_HOST, TRINO_PORT, TRINO_USER, TRINO_CATALOG } = process.env;

/**
 * Runs a statement. Numbers are texts with all of their digits, since JSON of JavaScript rounds those beyond 2^53.
 * @returns the rows, and what an INSERT, UPDATE or DELETE did (`updateType`, `updateCount`)
 */
export async function query(sql) {
  const headers = { 'x-trino-user': TRINO_USER, 'x-trino-catalog': TRINO_CATALOG, 'x-trino-time-zone': 'UTC' };
  const ask = async (url, init) => {
    const response = await fetch(url, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`Trino answered ${response.status}: ${text}`);
    return parse(text, null, (number) => number);
  };
  const rows = [];
  let answer = await ask(`http://${TRINO_HOST}:${TRINO_PORT}/v1/statement`, { method: 'POST', headers, body: sql });
  for (;;) {
    if (answer.error) throw new Error(`${answer.error.errorName}: ${answer.error.message}\n${sql}`);
    rows.push(...(answer.data ?? []));
    if (!answer.nextUri) return { rows, updateType: answer.updateType, updateCount: answer.updateCount };
    answer = await ask(answer.nextUri, { headers });
  }
}

/** The statements of a file: each ends with `;` at the end of a line, comments are lines. */
const statementsOf = (text) =>
  text
    .replaceAll(/^--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter(Boolean);

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [option, value] = process.argv.slice(2);
  if (!['--execute', '--file'].includes(option) || !value) throw new Error('Give --execute SQL or --file FILE.');
  for (const statement of option === '--execute' ? [value] : statementsOf(readFileSync(value, 'utf8'))) {
    const { rows, updateType, updateCount } = await query(statement);
    if (updateType !== undefined)
      process.stdout.write(
        `${updateType}${updateCount === undefined ? '' : `: ${updateCount} ${updateCount === '1' ? 'row' : 'rows'}`}\n`,
      );
    else for (const row of rows) process.stdout.write(`${row.join(', ')}\n`);
  }
}
