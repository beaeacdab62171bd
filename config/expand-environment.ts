/** Values of environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;
const NAME_AND_DEFAULT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;

/**
 * Replaces `${NAME}` and `${NAME:-default}`; an empty variable counts as missing where there is a default (as in a
 * shell). `$${` stands for `${` itself.
 *
 * @returns the text, or the problem with the first reference that cannot be replaced
 */
export function expandEnvironment(text: string, env: Environment): { text: string } | { problem: string } {
  let problem: string | undefined;
  const expanded = text.replace(REFERENCE, (whole, inner: string | undefined) => {
    if (inner === undefined) return '${';
    const match = NAME_AND_DEFAULT.exec(inner);
    if (match === null) {
      problem ??= `${whole} is not a reference to an environment variable; write \${NAME} or \${NAME:-default}`;
      return whole;
    }
    const name = match[1] ?? '';
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    const fallback = match[2];
    if (value !== undefined && (value !== '' || fallback === undefined)) return value;
    if (fallback !== undefined) return fallback;
    problem ??= `environment variable ${name} is not set; set it, or give a default: \${${name}:-default}`;
    return whole;
  });
  return problem === undefined ? { text: expanded } : { problem };
}

/** The variables that a text names. */
export function namedVariables(text: string): readonly string[] {
  return [...text.matchAll(REFERENCE)].flatMap(([, inner = '']) => NAME_AND_DEFAULT.exec(inner)?.[1] ?? []);
}
