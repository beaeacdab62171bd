/** One Kafka server for all tests of a file. */
import { afterAll, beforeAll } from 'vitest';
import { KafkaServer } from './kafka-server.js';
import { lastingFolder } from './temp-folder.js';

/**
 * Starts the server before the tests of the calling file, and ends it after them.
 * @param started is given the server
 * @returns its folder
 */
export function kafkaOfFile(started: (server: KafkaServer) => void): string {
  const folder = lastingFolder();
  let server: KafkaServer | undefined;
  beforeAll(async () => {
    server = await KafkaServer.start(folder.path);
    started(server);
  }, 300_000);
  afterAll(async () => {
    await server?.close();
    folder.remove();
  });
  return folder.path;
}
