/** Progress of long work, on standard error: one line that is rewritten on a terminal, a line now and then elsewhere. */

/** Milliseconds between two lines where standard error is not a terminal. */
const PLAIN_INTERVAL_MS = 10_000;
const TERMINAL_INTERVAL_MS = 100;

export interface Progress {
  /** Says how far the work is. Shown at most every now and then. */
  update(text: string): void;
  /** Removes the line, so that something else can be printed. */
  clear(): void;
}

/** @param stream standard error; `isTTY` decides how progress looks */
export function createProgress(stream: NodeJS.WriteStream, nowMs: () => number = Date.now): Progress {
  const terminal = stream.isTTY;
  const intervalMs = terminal ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS;
  let shownMs = nowMs() - (terminal ? intervalMs : 0);
  let shown = false;
  return {
    update(text) {
      const now = nowMs();
      if (now - shownMs < intervalMs) return;
      shownMs = now;
      shown = terminal;
      stream.write(terminal ? `\r\u001b[2K${text.slice(0, Math.max(20, stream.columns - 1))}` : `${text}\n`);
    },
    clear() {
      if (shown) stream.write('\r\u001b[2K');
      shown = false;
    },
  };
}
