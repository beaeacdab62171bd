/**
 * Order of the test files: long ones first, so that both workers end together; and files that share a process one after another, since a
 * process ends, with the modules it has loaded, when the next file in line wants one of its own.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest, of both kinds of files; a checkout without a cache of durations does not know. */
const LONG = /\/property\/online-reads\.|\/e2e\/|\/simulation\//;

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const placeOf = ({ project, moduleId }: TestSpecification): number =>
      (project.config.isolate ? 2 : 0) + (LONG.test(moduleId) ? 0 : 1);
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
