/** The one style sheet of the pages. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfcfc; --sheet: #ffffff; --ink: #1d2b33; --soft: #5a6b75; --line: #dde4e8; --tint: #f1f5f7;
  --link: #0b6477; --mark: #0b6477; --focus: #d9720b; --good: #1f7a4d; --warn: #8f5a00; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12191d; --sheet: #182127; --ink: #dfe7eb; --soft: #93a4ae; --line: #2b3840; --tint: #1f2a31;
    --link: #6cc5d9; --mark: #6cc5d9; --focus: #f2a65a; --good: #6fcf9b; --warn: #e5b567; --bad: #f2938c;
  }
}
* { box-sizing: border-box; }
html { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); }
a { color: var(--link); text-underline-offset: .18em; text-decoration-thickness: 1px; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: 1rem; top: -4rem; background: var(--sheet); padding: .5rem .9rem; z-index: 1; }
.skip:focus { top: .5rem; }
header, main, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.75rem; padding-top: 1rem; padding-bottom: .75rem; }
.bar { background: var(--sheet); border-bottom: 1px solid var(--line); }
.brand { display: inline-flex; align-items: center; gap: .55rem; font-weight: 650; letter-spacing: .01em; color: var(--ink); text-decoration: none; }
.brand svg { width: 1.5rem; height: 1.5rem; color: var(--mark); }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem 1.25rem; list-style: none; margin: 0; padding: 0; }
nav a { display: inline-block; padding: .3rem 0; color: var(--soft); text-decoration: none; border-bottom: 2px solid transparent; }
nav a:hover { color: var(--ink); }
nav a[aria-current] { color: var(--ink); border-bottom-color: var(--mark); }
.who { margin-left: auto; color: var(--soft); font-size: .875rem; display: flex; align-items: center; gap: .75rem; }
main { padding-top: 2rem; padding-bottom: 3rem; }
main:focus { outline: none; }
footer { color: var(--soft); font-size: .875rem; padding-bottom: 2rem; }
footer p { border-top: 1px solid var(--line); padding-top: 1rem; margin: 0; max-width: none; }
h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 650; letter-spacing: -.01em; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; line-height: 1.3; font-weight: 650; margin: 2.25rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { margin: 0 0 1rem; max-width: 44rem; overflow-wrap: anywhere; }
.lead { color: var(--soft); font-size: 1.0625rem; }
.soft { color: var(--soft); }
time, time + .soft { white-space: nowrap; }
code, pre, .value { font: .875em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; overflow-x: auto; margin: .5rem 0 1rem; }
.scroll { overflow-x: auto; margin: 0 0 1.25rem; background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
caption { text-align: left; padding: .7rem 1rem; color: var(--soft); font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .55rem 1rem; border-top: 1px solid var(--line); }
thead th { font-size: .8125rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
tbody th { font-weight: 550; }
tbody th .soft { font-weight: 400; }
td.when .soft { display: block; font-size: .875rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.when, td.name { white-space: nowrap; }
td.wide { min-width: 18rem; overflow-wrap: anywhere; }
.value { overflow-wrap: anywhere; unicode-bidi: isolate; white-space: pre-wrap; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .45rem 1.5rem; margin: 0 0 1rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.state { display: inline-flex; align-items: baseline; gap: .45rem; white-space: nowrap; }
.state::before { content: ""; width: .55rem; height: .55rem; border-radius: 50%; background: currentColor; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.note { border-left: 3px solid var(--line); padding: .1rem 0 .1rem .9rem; margin: 0 0 1.25rem; max-width: 44rem; overflow-wrap: anywhere; }
.note p { margin: .3rem 0; }
.note.bad, .note.warn { border-left-color: currentColor; }
.note.bad p, .note.warn p { color: var(--ink); }
form { margin: 0 0 1.5rem; }
form.plain { margin: 0; }
.fields { display: grid; gap: .9rem; max-width: 26rem; margin-bottom: 1rem; }
label { display: block; font-size: .875rem; font-weight: 550; margin-bottom: .25rem; }
label .soft { font-weight: 400; }
input, select { width: 100%; font: inherit; color: inherit; background: var(--sheet); border: 1px solid var(--soft); border-radius: 6px; padding: .45rem .65rem; }
button { font: inherit; font-weight: 550; color: var(--sheet); background: var(--mark); border: 1px solid var(--mark); border-radius: 6px; padding: .45rem 1rem; cursor: pointer; }
button:hover { filter: brightness(1.1); }
button.quiet { color: var(--link); background: none; border: 0; padding: 0; font-weight: 400; text-decoration: underline; text-underline-offset: .18em; }
main nav ul { display: block; columns: 18rem; font-size: .9375rem; }
main nav a { color: var(--link); text-decoration: underline; border: 0; }
details summary { cursor: pointer; color: var(--link); }
.operation { border-top: 1px solid var(--line); padding-top: .25rem; margin-top: 2rem; }
.method { display: inline-block; font-size: .75em; font-weight: 650; letter-spacing: .04em; color: var(--mark); border: 1px solid currentColor; border-radius: 4px; padding: .05rem .4rem; margin-right: .4rem; vertical-align: .1em; }
@media (max-width: 40rem) {
  html { font-size: 15px; }
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  main { padding-top: 1.25rem; }
  .who { margin-left: 0; width: 100%; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .6rem; }
  table, caption, tbody, tr, th, td { display: block; }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  tr { border-top: 1px solid var(--line); padding: .5rem 0; }
  th, td, td.number, td.wide, td.name { border: 0; padding: .15rem .9rem; text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 0; }
  td, td.number, td.wide, td.name { position: relative; padding-left: 8.25rem; min-height: 1.9em; }
  td::before { content: attr(data-name); position: absolute; left: .9rem; top: .25rem; width: 7rem; color: var(--soft); font-size: .8125rem; }
  td:empty { display: none; }
  td.when .soft { display: inline; }
  caption { padding: .6rem .9rem; }
}
@media (prefers-reduced-motion: no-preference) { a, button { transition: color .1s, border-color .1s; } }
@media print { .bar, .skip, form { display: none; } }
`;

/** The mark of the pages: stones that ice has left behind. */
export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#0b6477" stroke-width="2" stroke-linejoin="round"><path d="M2 20 9 6l4 7 3-4 6 11Z"/></svg>`;
