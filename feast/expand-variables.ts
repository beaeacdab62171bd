/**
 * Replaces `$NAME` and `${NAME}` as Python's `os.path.expandvars` does, which Feast applies to `feature_store.yaml`: a
 * variable that is not set stays as it is written.
 */
export function expandVariables(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/\$(\w+|\{[^}]*\})/g, (whole, inner: string) => {
    const name = inner.startsWith('{') ? inner.slice(1, -1) : inner;
    return (Object.hasOwn(env, name) ? env[name] : undefined) ?? whole;
  });
}

/** Whether a text is nothing but references to variables, and so holds no secret itself. */
export function isReference(text: string): boolean {
  return /^(?:\$\w+|\$\{\w+\})$/.test(text);
}
