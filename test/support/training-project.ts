/** A small project with a table of entity rows, for tests of training sets. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMoraine, type Moraine } from '../../index.js';
import { trainingRows } from './moraine-folder.js';
import { SmallProject } from './small-project.js';

/** Rows of `demo.labels`: some sensors twice, one that the source does not have, one that is null. */
export const LABELS = 45;

export class TrainingProject {
  readonly small: SmallProject;
  readonly moraine: Moraine;

  private constructor(small: SmallProject, moraine: Moraine) {
    this.small = small;
    this.moraine = moraine;
  }

  /** Makes the project in a folder; the caller closes and removes it. */
  static async createIn(folder: string): Promise<TrainingProject> {
    return TrainingProject.over(await SmallProject.createIn(folder));
  }

  /** Adds what training sets need to a project without rows. */
  static async over(small: SmallProject): Promise<TrainingProject> {
    const { folder } = small;
    await small.append(5_000);
    const moraine = await createMoraine({ cwd: folder, fileFolders: [folder] });
    const sensors = [...Array.from({ length: LABELS - 2 }, (_, i) => String(i % 40)), '777', ''];
    const rows = sensors.map(
      (sensor, i) => `${sensor},1970-01-01T00:${String(10 + i).padStart(2, '0')}:00Z,label ${i}`,
    );
    const file = join(folder, 'labels.csv');
    writeFileSync(file, ['sensor,event_timestamp,label', ...rows, ''].join('\n'));
    await moraine.appendFile('demo.labels', file, { create: true });
    return new TrainingProject(small, moraine);
  }

  /** The workflow's input for a dataset of all labels. */
  input(name: string) {
    return { name, features: [this.small.view], entities: { table: 'demo.labels' }, to: `demo.${name}`, shards: 3 };
  }

  /** The same dataset, saved at once. */
  saveWhole(name: string) {
    const saveAs = { name, to: { table: `demo.${name}` } };
    return this.moraine.saveDataset({ features: [this.small.view], entities: { table: 'demo.labels' }, saveAs });
  }

  /** The rows of a table as text, sorted. */
  rowsOf(table: string): Promise<readonly string[]> {
    return trainingRows(this.moraine, table);
  }

  /** Run keys of a table's snapshots. */
  async runKeys(table: string): Promise<readonly (string | undefined)[]> {
    const { metadata } = await this.moraine.project.loadTable(table);
    return metadata.snapshots.map(({ summary }) => summary.get('moraine.run-key'));
  }

  async close(): Promise<void> {
    await this.moraine.close();
    await this.small.project.close();
  }
}
