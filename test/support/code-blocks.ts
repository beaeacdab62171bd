/** The fenced code blocks of a page. */

export interface CodeBlock {
  /** `sh`, `ts`, `yaml` and so on. */
  readonly language: string;
  /** From `title="..."`: the file that the block is the content of. */
  readonly title: string | undefined;
  /** The other words after the language. */
  readonly flags: ReadonlySet<string>;
  readonly content: string;
  /** Line of the page at which the block begins, from 1. */
  readonly line: number;
}

const FENCE = /^```(\S+)?(.*)$/;
const TITLE = /title="([^"]+)"/;

/** Reads the blocks in order. A fence that is not closed is an error. */
export function codeBlocks(markdown: string): readonly CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { language: string; rest: string; line: number; content: string[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const fence = FENCE.exec(text);
    if (open !== undefined && text === '```') {
      const { language, rest, line, content } = open;
      const flags = new Set(rest.replace(TITLE, '').split(' ').filter(Boolean));
      blocks.push({ language, title: TITLE.exec(rest)?.[1], flags, content: `${content.join('\n')}\n`, line });
      open = undefined;
    } else if (open !== undefined) open.content.push(text);
    else if (fence !== null) open = { language: fence[1] ?? '', rest: fence[2] ?? '', line: index + 1, content: [] };
  }
  if (open !== undefined) throw new Error(`the code block of line ${open.line} is not closed`);
  return blocks;
}

/** Whether an output is the one that is shown. `…` stands for any text in a line, on a line of its own for any lines. */
export function shownPattern(shown: string): RegExp {
  const lines = shown
    .trimEnd()
    .split('\n')
    .map((line) => (line === '…' ? '(?:.*\\n)*?' : `${line.split('…').map(escapeRegExp).join('.+')}\\n`));
  return new RegExp(`^${lines.join('')}$`);
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
