/** Parts that pages share: tables, times, states. */
import { formatTimeUs } from '../../config/index.js';
import { countText, durationText } from '../../errors/index.js';
import { type Html, type HtmlValue, html } from './html.js';

/** A column: its heading, and how its cells are set. */
export type Column = string | { readonly name: string; readonly kind: 'number' | 'when' | 'name' | 'wide' };

/** On a phone each row is a block, for which browsers forget that it is a table: the roles say so. */
export function tableOf(caption: string, columns: readonly Column[], rows: readonly (readonly HtmlValue[])[]): Html {
  const names = columns.map((column) => (typeof column === 'string' ? column : column.name));
  const kinds = columns.map((column) => (typeof column === 'string' ? '' : column.kind));
  const cells = (row: readonly HtmlValue[]): readonly Html[] =>
    row.map((cell, index) =>
      index === 0
        ? html`<th scope="row" role="rowheader" class="${kinds[index]}">${cell}</th>`
        : html`<td role="cell" class="${kinds[index]}" data-name="${names[index]}">${cell}</td>`,
    );
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table role="table">
<caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${names.map((name, index) => html`<th scope="col" role="columnheader" class="${kinds[index]}">${name}</th>`)}</tr></thead>
<tbody role="rowgroup">
${rows.map((row) => html`<tr role="row">${cells(row)}</tr>\n`)}</tbody>
</table></div>`;
}

/** Names and what they stand for; those without a value are left out. */
export function factsOf(facts: readonly (readonly [name: string, value: HtmlValue])[]): Html {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== false);
  return html`<dl>${known.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>`;
}

export type Mood = 'good' | 'warn' | 'bad' | 'soft';

/** A state in a word, with a colour beside it. */
export const stateOf = (mood: Mood, text: string): Html => html`<span class="state ${mood}">${text}</span>`;

/** Something that a reader has to know. */
export function noteOf(mood: Mood, ...paragraphs: readonly HtmlValue[]): Html {
  const role = mood === 'bad' ? html` role="alert"` : null;
  return html`<div class="note ${mood}"${role}>${paragraphs.map((text) => html`<p>${text}</p>`)}</div>`;
}

/** A time, and how long ago it was. */
export function timeOf(us: bigint | null, nowMs: number): Html {
  if (us === null) return html`–`;
  const iso = formatTimeUs(us);
  // Years beyond four digits have a sign and more of them.
  const [date, time = ''] = iso.split('T');
  return html`<time datetime="${iso}">${date} ${time.slice(0, 8)}</time> <span class="soft">${agoText(nowMs - Number(us / 1000n))}</span>`;
}

/** Clocks differ: what is in the future is now. */
export function agoText(ms: number): string {
  return ms < 1000 ? 'just now' : `${durationText(Math.round(ms / 1000) * 1000).replace('.0 s', ' s')} ago`;
}

/** Rows that delete files delete are counted with the others. */
export function rowsText(rows: bigint | null, deleteFiles: bigint | null): string {
  if (rows === null) return '–';
  return deleteFiles === 0n ? countText(rows) : `up to ${countText(rows)}`;
}

export const linkTo = (path: string, text: string): Html => html`<a href="${path}">${text}</a>`;
export const viewPath = (name: string): string => `/ui/views/${encodeURIComponent(name)}`;
export const tablePath = (name: string): string => `/ui/tables/${encodeURIComponent(name)}`;
