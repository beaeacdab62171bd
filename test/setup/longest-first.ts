/**
 * Order of the test files: long ones first, so that all workers end together; and files that share a process one after another, since a
 * process ends, with the modules it has loaded, when the next file in line wants one of its own.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, of both kinds of files; a checkout without a cache of durations goes by their size. */
const LONG = [
  '/property/online-reads.',
  '/e2e/',
  '/simulation/',
  ...[
    'cancelled-runs',
    'compaction-beside-writers',
    'crash-points',
    'fault-loop',
    'ingest',
    'ingest-kafka',
    'quickstart',
    'schedules',
    'service-s3-rest',
    'service-schemathesis',
    'several-stores',
    'shared-projects',
    'sink-follow',
    'sink-kafka',
    'sink-kill',
    'sink-page',
    'temporal-faults',
    'temporal-local-server',
    'two-workers',
    'ui',
  ].map((name) => `/integration/${name}.`),
  ...[
    'fault-loop',
    'nessie-project',
    'shared-projects',
    'trino',
    'trino-engine',
    'trino-nessie-example',
    'trino-runs',
    'trino-training',
    'vended-access',
  ].map((name) => `/servers/${name}.`),
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const placeOf = ({ project, moduleId }: TestSpecification): number =>
      (project.config.isolate ? 2 : 0) + (LONG.some((part) => moduleId.includes(part)) ? 0 : 1);
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
