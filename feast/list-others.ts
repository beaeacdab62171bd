/** The parts of a registry that have no counterpart, each with what to do instead. */
import type { Findings } from './finding.js';
import { icebergTable, sourceKind } from './iceberg-source.js';
import type { FeastRepository } from './repository.js';

/** Reports what is neither an entity, nor a batch feature view, nor a feature service. */
export function listOthers({ registry, config }: FeastRepository, findings: Findings): void {
  for (const view of registry.onDemandFeatureViews) {
    findings.leftOut('on-demand feature view', view.name, {
      reason: 'it is a Python function that runs at request time; Moraine reads features from tables',
      remedy: 'Compute it in the application from the features that it takes, or write its result to a table.',
    });
  }
  for (const view of registry.streamFeatureViews) {
    const table =
      view.batch_source === null ? undefined : icebergTable(view.batch_source, config.offlineStore?.namespace);
    const over =
      table === undefined ? 'an Iceberg table' : `its batch table ${[...table.namespace, table.table].join('.')}`;
    findings.leftOut('stream feature view', view.name, {
      reason: 'Moraine reads no streams and runs no transformation of them',
      remedy: `Let the engine that processes the stream write to ${over}, and define a feature view over it.`,
    });
  }
  for (const view of registry.labelViews) {
    findings.leftOut('label view', view.name, {
      reason: 'labels are columns of the entity rows here',
      remedy: 'Put the labels into the entity frame; its columns are passed through.',
    });
  }
  for (const dataset of registry.savedDatasets) {
    findings.leftOut('saved dataset', dataset.name, {
      reason: 'its rows are where Feast put them, and nothing says which state of the tables they came from',
      remedy: 'Keep its file, or make the dataset again with `moraine features historical`.',
    });
  }
  for (const reference of registry.validationReferences) {
    findings.leftOut('validation reference', reference.name, {
      reason: 'Moraine does not profile datasets',
      remedy: 'Check the dataset with the tool of your choice after it is made.',
    });
  }
  for (const permission of registry.permissions) {
    findings.leftOut('permission', permission.name, {
      reason: 'who may read a table is decided by its storage and catalog',
      remedy: 'Set the permissions of the folders and of the catalog.',
    });
  }
  listSources({ registry, config }, findings);
  for (const project of registry.otherProjects) {
    findings.leftOut('project', project, {
      reason: `feature_store.yaml names the project ${config.project}`,
      remedy: `Import it from a copy of the repository whose feature_store.yaml says project: ${project}.`,
    });
  }
}

/** Data sources that no feature view reads: the others are said with their views. */
function listSources({ registry }: Pick<FeastRepository, 'registry' | 'config'>, findings: Findings): void {
  const read = new Set(registry.featureViews.flatMap((view) => [view.batch_source?.name, view.stream_source?.name]));
  for (const source of registry.dataSources) {
    if (read.has(source.name)) continue;
    findings.leftOut(sourceKind(source), source.name, {
      reason: 'no batch feature view reads it, and a source is part of a feature view here',
      remedy: REMEDIES.get(source.type) ?? 'Define a feature view over its table if you need it.',
    });
  }
}

const REMEDIES: ReadonlyMap<number, string> = new Map([
  [3, 'Let the engine that processes the topic write to an Iceberg table.'],
  [4, 'Let the engine that processes the stream write to an Iceberg table.'],
  [7, 'Put request columns into the entity frame; they are passed through.'],
  [9, 'Append to the table instead; `moraine materialize` brings it online.'],
]);
