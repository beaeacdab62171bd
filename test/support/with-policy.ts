/** A project once more, with a maintenance policy in its `moraine.yaml`. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openProject, type Project } from '../../project/index.js';

/** @param policy the entries of `maintenance`, as YAML */
export async function withPolicy(folder: string, policy: string): Promise<Project> {
  appendFileSync(join(folder, 'moraine.yaml'), `maintenance:\n${policy}`);
  const project = await openProject({ cwd: folder });
  onTestFinished(() => project.close());
  return project;
}
