/** The current values of one entity of a view or service. Keys are sent in the body of a form, so that no log or history has them. */
import { formatTimeUs } from '../../config/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { Definitions } from '../../features/index.js';
import { stringifyJson, typeToString } from '../../iceberg/index.js';
import {
  type FeatureSelection,
  featureValueToJson,
  type OnlineFeature,
  type OnlineJoinKey,
  type OnlineResponse,
  type OnlineStatus,
  type OnlineValue,
} from '../../online/index.js';
import { errorAnswer } from '../http-error.js';
import type { PageDeps } from './deps.js';
import { type Html, html } from './html.js';
import type { Page } from './page.js';
import { factsOf, type Mood, noteOf, stateOf, tableOf, timeOf } from './parts.js';

/** A person waits longer than a model does, and may be the first to read the view. */
const READ_TIMEOUT_MS = 10_000;
/** Longer values are cut: no page needs them whole. */
const MAX_VALUE_CHARS = 4_000;
/** Names of the fields of keys begin so, that no key is taken for another field. */
const KEY_PREFIX = 'key.';

/** @param form what was sent; undefined: the page was opened */
export async function entityPage(deps: PageDeps, query: URLSearchParams, form?: URLSearchParams): Promise<Page> {
  const definitions = await deps.definitions();
  const wanted = selectionOf(query);
  const choice = choiceForm(definitions, wanted);
  if (wanted === undefined)
    return pageOf(200, html`<p class="lead">What a view or a service answers for one entity now.</p>${choice}`);
  try {
    const { joinKeys } = await deps.reader.getOnlineFeatures({
      ...wanted,
      entities: [],
      maxStalenessMs: deps.maxStalenessMs,
    });
    const keys = keysForm(joinKeys, query, form);
    if (form === undefined) return pageOf(200, html`${choice}${keys}`);
    return await answered(deps, wanted, joinKeys, form).then(
      (answer) => pageOf(200, html`${choice}${keys}${answer}`),
      (error: unknown) => refused(error, html`${choice}${keys}`),
    );
  } catch (error) {
    return refused(error, choice);
  }
}

const pageOf = (status: number, body: Html): Page => ({ status, title: 'Entity', place: '/ui/entity', body });

/** @throws what is not a refusal */
function refused(error: unknown, forms: Html): Page {
  if (!isMoraineError(error)) throw error;
  const { status, body } = errorAnswer(error);
  if (status >= 500) throw error;
  return pageOf(status, html`${forms}${noteOf('bad', body.error, body.remedy)}`);
}

function selectionOf(query: URLSearchParams): FeatureSelection | undefined {
  const [kind, name] = splitOnce(query.get('of') ?? '');
  const view = query.get('view') ?? (kind === 'view' ? name : undefined);
  const service = query.get('service') ?? (kind === 'service' ? name : undefined);
  if (service !== undefined) return { service };
  return view === undefined ? undefined : { view };
}

function splitOnce(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  return [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
}

function choiceForm({ featureViews, featureServices }: Definitions, wanted: FeatureSelection | undefined): Html {
  const views = [...featureViews.values()]
    .filter(({ online }) => online)
    .map(({ name }) => name)
    .sort();
  const services = [...featureServices.keys()].sort();
  if (views.length === 0)
    return noteOf('soft', 'There are no online views: set `online: true` in a definition and run `moraine apply`.');
  const option = (kind: 'view' | 'service', name: string): Html =>
    html`<option value="${kind}:${name}"${wanted?.[kind] === name && html` selected`}>${name}</option>`;
  return html`<form method="get" action="/ui/entity"><div class="fields">
<div><label for="of">View or service</label><select id="of" name="of">
<optgroup label="Views">${views.map((name) => option('view', name))}</optgroup>
${services.length > 0 && html`<optgroup label="Services">${services.map((name) => option('service', name))}</optgroup>`}
</select></div></div><button>Choose</button></form>`;
}

function keysForm(joinKeys: readonly OnlineJoinKey[], query: URLSearchParams, form?: URLSearchParams): Html {
  const field = ({ name, type }: OnlineJoinKey, index: number): Html => {
    const given = form?.get(KEY_PREFIX + name) ?? '';
    const needed = type.kind !== 'string' && html` required`;
    return html`<div><label for="key-${index}">${name} <span class="soft">${typeToString(type)}</span></label>
<input id="key-${index}" name="${KEY_PREFIX}${name}" value="${given}" autocomplete="off" spellcheck="false"${needed}></div>`;
  };
  return html`<h2>Join keys</h2>
<form method="post" action="/ui/entity?${query.toString()}"><div class="fields">
${joinKeys.length === 0 ? html`<p>There are none: every request reads the same row.</p>` : joinKeys.map(field)}
</div><button>Look up</button></form>`;
}

async function answered(
  { reader, maxStalenessMs }: PageDeps,
  wanted: FeatureSelection,
  joinKeys: readonly OnlineJoinKey[],
  form: URLSearchParams,
): Promise<Html> {
  const entity = new Map(joinKeys.map(({ name }) => [name, form.get(KEY_PREFIX + name) ?? '']));
  const response = await reader.getOnlineFeatures({
    ...wanted,
    entities: [entity],
    entitiesAsText: true,
    fullFeatureNames: wanted.service !== undefined,
    maxStalenessMs,
    readTimeoutMs: READ_TIMEOUT_MS,
  });
  const nowMs = Number(response.nowUs / 1000n);
  const rows = response.features.map((feature, column) => {
    const { status, value, eventTimestampUs } = response.rows[0]?.[column] ?? NOTHING;
    const [mood, meaning] = STATUSES[status];
    return [
      feature.name,
      value === null
        ? html`<span class="soft">–</span>`
        : html`<span class="value">${valueText(feature, value)}</span>`,
      html`<span title="${meaning}">${stateOf(mood, status)}</span>`,
      timeOf(eventTimestampUs, nowMs),
    ];
  });
  const columns = ['Feature', { name: 'Value', kind: 'wide' }, 'Status', 'Event time'] as const;
  return html`<h2>Values</h2>
${tableOf('Values of the entity', columns, rows)}
${factsOf([['Read at', formatTimeUs(response.nowUs)], ...snapshotsOf(response)])}
${meaningsOf(response)}`;
}

const snapshotsOf = ({ snapshots }: OnlineResponse) =>
  snapshots.map(
    ({ view, snapshotId }) => [`Snapshot of ${view}`, snapshotId === null ? 'none' : String(snapshotId)] as const,
  );

const NOTHING: OnlineValue = { status: 'NOT_FOUND', value: null, eventTimestampUs: null };

const STATUSES: Readonly<Record<OnlineStatus, readonly [Mood, string]>> = {
  PRESENT: ['good', 'The value of the newest row.'],
  NULL_VALUE: ['soft', 'The newest row has no value.'],
  NOT_FOUND: ['warn', 'There is no row of this entity.'],
  OUTSIDE_MAX_AGE: ['warn', "The newest row is older than the view's ttl; its value is withheld."],
};

/** The meaning of each status that is there, but for PRESENT. */
function meaningsOf({ rows }: OnlineResponse): Html {
  const found = new Set((rows[0] ?? []).map(({ status }) => status));
  found.delete('PRESENT');
  return html`${[...found].map((status) => html`<p class="soft"><code>${status}</code>: ${STATUSES[status][1]}</p>`)}`;
}

function valueText({ type }: OnlineFeature, value: OnlineValue['value']): string {
  const json = featureValueToJson(type, value);
  const text = typeof json === 'string' ? json : stringifyJson(json);
  return text.length <= MAX_VALUE_CHARS ? text : `${text.slice(0, MAX_VALUE_CHARS)}… (${text.length} characters)`;
}
