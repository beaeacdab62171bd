import { MoraineError } from '../../errors/index.js';
import { type CommandContext, printJson } from '../context.js';
import { type CheckResult, runChecks } from '../doctor-checks.js';
import { printable } from '../output/output.js';

/** Prints one line per check and, for each that is not well, what to do. Fails with the code of the first failure. */
export async function doctor(
  context: CommandContext,
  _operands: readonly string[],
  options: { readonly json?: boolean },
): Promise<void> {
  const results = await runChecks(context);
  if (options.json === true) await printJson(context, { checks: results.map(withoutError) });
  else await context.stdout.write(results.map(lineOf).join(''));
  const failed = results.filter((result) => result.status === 'fail');
  if (failed.length === 0) return;
  const names = failed.map((result) => result.name).join(', ');
  throw new MoraineError(
    failed[0]?.code ?? 'INTERNAL',
    `${failed.length} of ${results.length} checks failed: ${names}`,
  );
}

function withoutError({ name, status, detail, remedy }: CheckResult): Omit<CheckResult, 'code'> {
  return { name, status, detail, ...(remedy === undefined ? {} : { remedy }) };
}

function lineOf({ name, status, detail, remedy }: CheckResult): string {
  const [first = '', ...rest] = detail.split('\n').map(printable);
  const lines = [`${status.padEnd(5)} ${name}: ${first}`, ...rest.map((line) => `      ${line}`)];
  if (remedy !== undefined && status !== 'ok') lines.push(`      ${printable(remedy)}`);
  return `${lines.join('\n')}\n`;
}
