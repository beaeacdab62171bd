import { getOnlineFeatures, writeLog } from '../../client/index.js';
import { formatTimeUs, parseTimeUs } from '../../config/index.js';
import { MoraineError } from '../../errors/index.js';
import { type JsonObject, type JsonValue, jsonObject, stringifyJson } from '../../iceberg/index.js';
import { type FeatureSelection, featureValueToJson, type OnlineResponse } from '../../online/index.js';
import type { Project } from '../../project/index.js';
import { type CommandContext, withProject } from '../context.js';
import { parseEntity } from '../options/entity-option.js';
import { formatColumns } from '../output/output.js';

interface OnlineGetOptions {
  readonly entity: readonly string[];
  readonly at?: string;
  readonly json?: boolean;
  readonly log?: boolean;
}

/** A command reads once, with everything cold: what a service allows itself would not do. */
const READ_TIMEOUT_MS = 30_000;

type Entity = ReadonlyMap<string, string>;

/** Prints the newest feature values of entities. */
export async function onlineGet(
  context: CommandContext,
  operands: readonly string[],
  options: OnlineGetOptions,
): Promise<void> {
  const name = operands[0] ?? '';
  const entities = options.entity.map(parseEntity);
  const nowUs = options.at === undefined ? undefined : parseTimeUs(options.at, '--at');
  await withProject(context, async (project) => {
    const selected = await selection(project, name);
    if (options.log === true && selected.service === undefined) throw onlyServices(name);
    const response = await getOnlineFeatures(project, {
      ...selected,
      entities,
      entitiesAsText: true,
      readTimeoutMs: READ_TIMEOUT_MS,
      ...(nowUs === undefined ? {} : { nowUs }),
    });
    if (options.log === true) await writeLog(project, name, [{ response, entities, entitiesAsText: true }]);
    if (options.json !== true) return context.stdout.write(asText(entities, response));
    const storageTraffic = context.storageTraffic();
    const answer = { ...asJson(entities, response), storageTraffic: storageTraffic && { ...storageTraffic } };
    return context.stdout.write(`${stringifyJson(answer)}\n`);
  });
}

/** A view, or else a service of that name, whose features are then called `view__feature`. */
async function selection(project: Project, name: string): Promise<FeatureSelection & { fullFeatureNames?: boolean }> {
  const registry = await project.registry();
  const { definitions } = await registry.read();
  const isService = !definitions.featureViews.has(name) && definitions.featureServices.has(name);
  return isService ? { service: name, fullFeatureNames: true } : { view: name };
}

function onlyServices(name: string): MoraineError {
  return new MoraineError(
    'INVALID_ARGUMENT',
    `--log: '${name}' is a feature view, and answers are logged for feature services; define a service with the view`,
  );
}

function asJson(entities: readonly Entity[], response: OnlineResponse): JsonObject {
  const results = response.rows.map((row, index) => ({
    entity: jsonObject(entities[index] ?? []),
    features: jsonObject(
      response.features.map((feature, column): [string, JsonValue] => {
        const { status, value, eventTimestampUs } = row[column] ?? {
          status: 'NOT_FOUND',
          value: null,
          eventTimestampUs: null,
        };
        const eventTimestamp = eventTimestampUs === null ? null : formatTimeUs(eventTimestampUs);
        return [feature.name, { value: featureValueToJson(feature.type, value), status, eventTimestamp }];
      }),
    ),
  }));
  const snapshots = response.snapshots.map(({ view, table, snapshotId }) => ({
    view,
    table,
    snapshotId: snapshotId?.toString() ?? null,
  }));
  return { at: formatTimeUs(response.nowUs), snapshots, results };
}

function asText(entities: readonly Entity[], response: OnlineResponse): string {
  const rows = response.rows.flatMap((row, index) =>
    response.features.map((feature, column) => {
      const value = row[column];
      const shown = value === undefined || value.value === null ? '-' : featureValueToJson(feature.type, value.value);
      return [
        [...(entities[index] ?? [])].map(([key, text]) => `${key}=${text}`).join(','),
        feature.name,
        typeof shown === 'string' ? shown : stringifyJson(shown),
        value?.status ?? 'NOT_FOUND',
        value?.eventTimestampUs == null ? '-' : formatTimeUs(value.eventTimestampUs),
      ];
    }),
  );
  return formatColumns(['entity', 'feature', 'value', 'status', 'event time'], rows);
}
