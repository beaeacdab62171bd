/** Why a request had no answer. */

export interface ConnectionError {
  /** Of Node.js, `ECONNREFUSED` and others; empty where there is none. */
  readonly code: string;
  /** Whether TLS failed: nothing was sent, and the next try fails alike. */
  readonly isTls: boolean;
  /** For people, with what to do where TLS failed. */
  readonly text: string;
}

/** @param error what `fetch` threw */
export function connectionError(error: unknown): ConnectionError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code: given, message = String(cause) } = (cause ?? {}) as Partial<NodeJS.ErrnoException>;
  const code = typeof given === 'string' ? given : '';
  const isTls = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(code);
  const remedy = isTls ? '; set NODE_EXTRA_CA_CERTS to the file of its authority, or correct uri' : '';
  // OpenSSL ends its messages with a line break.
  return { code, isTls, text: code === '' ? message : `${message.trim()} (${code})${remedy}` };
}
