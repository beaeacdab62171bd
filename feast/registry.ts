/** A Feast registry of one project, whatever it was stored in. */
import type {
  FeastDataSource,
  FeastEntity,
  FeastFeatureService,
  FeastFeatureView,
  FeastNamed,
  FeastStreamFeatureView,
} from './registry-proto.js';

/** The definitions of one Feast project, each kind by name. */
export interface FeastRegistry {
  readonly entities: readonly FeastEntity[];
  readonly dataSources: readonly FeastDataSource[];
  readonly featureViews: readonly FeastFeatureView[];
  readonly streamFeatureViews: readonly FeastStreamFeatureView[];
  readonly featureServices: readonly FeastFeatureService[];
  readonly onDemandFeatureViews: readonly FeastNamed[];
  readonly labelViews: readonly FeastNamed[];
  readonly savedDatasets: readonly FeastNamed[];
  readonly validationReferences: readonly FeastNamed[];
  readonly permissions: readonly FeastNamed[];
  /** Other projects in the same registry. */
  readonly otherProjects: readonly string[];
}

/** Keeps what belongs to a project, in the order of names. */
export function registryOfProject(all: Omit<FeastRegistry, 'otherProjects'>, project: string): FeastRegistry {
  const projects = new Set(Object.values(all).flatMap((items: readonly FeastNamed[]) => items.map((i) => i.project)));
  const own = <T extends FeastNamed>(items: readonly T[]): readonly T[] =>
    items.filter((item) => item.project === project).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return {
    entities: own(all.entities),
    dataSources: own(all.dataSources),
    featureViews: own(all.featureViews),
    streamFeatureViews: own(all.streamFeatureViews),
    featureServices: own(all.featureServices),
    onDemandFeatureViews: own(all.onDemandFeatureViews),
    labelViews: own(all.labelViews),
    savedDatasets: own(all.savedDatasets),
    validationReferences: own(all.validationReferences),
    permissions: own(all.permissions),
    otherProjects: [...projects].filter((name) => name !== project && name !== '').sort(),
  };
}
