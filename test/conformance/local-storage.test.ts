import { LocalFileIO } from '../../storage/index.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { describeStorageBehavior } from './storage-behavior.js';

describeStorageBehavior('local files', () => {
  const root = temporaryFolder();
  return Promise.resolve({
    io: new LocalFileIO({ roots: [root] }),
    root,
    spellings: [`file:${root}`, `file://${root}`, `${root}/.`, `${root}/none/..`],
    waysOut: [`${root}/../x`, `${root}/none/../../x`],
  });
});
