import { LocalFileIO, openStorage } from '../../storage/index.js';
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

describeStorageBehavior('local files beside a store', async () => {
  const root = temporaryFolder();
  const keys = { 's3.access-key-id': 'a', 's3.secret-access-key': 'b' };
  return {
    io: await openStorage({ roots: [root, 's3://lake'], options: { 's3.endpoint': 'http://127.0.0.1:1', ...keys } }),
    root,
    spellings: [`file:${root}`],
    waysOut: [`${root}/../x`],
  };
});
