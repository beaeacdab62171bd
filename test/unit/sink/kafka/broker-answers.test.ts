/** What brokers answer that cannot be read or used, and settings that reach no broker: each ends with a message that says what it is. */
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import * as library from '@platformatic/kafka';
import { expect, it, onTestFinished } from 'vitest';
import { ClusterConnections } from '../../../../sink/kafka/cluster-connections.js';
import { fetchRequest } from '../../../../sink/kafka/fetch-answer.js';
import { tlsOptions } from '../../../../sink/kafka/kafka-access.js';
import { TopicClient, type TopicState } from '../../../../sink/kafka/topic-client.js';
import { temporaryFolder } from '../../../support/temp-folder.js';

/** A fetch's answer of one partition with these batches, by the layout of the protocol (FetchResponse, version 13). */
function fetchAnswer(partition: number, batches: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(batches);
  const head = Buffer.alloc(37);
  head.writeInt32BE(partition, 0);
  head.writeBigInt64BE(9n, 6);
  head.writeBigInt64BE(9n, 14);
  // No aborted transaction, no preferred replica.
  head.writeUInt8(0, 30);
  head.writeInt32BE(-1, 31);
  // Lengths in seven bits a byte, one more than they are.
  const length = bytes.length + 1;
  head.writeUInt8((length & 0x7f) | 0x80, 35);
  head.writeUInt8(length >> 7, 36);
  const topic = [Buffer.from([2]), Buffer.alloc(16), Buffer.from([2]), head, bytes, Buffer.alloc(3)];
  return Buffer.concat([Buffer.alloc(10), ...topic]);
}

/** A batch of three records that begins at an offset. */
function batchAt(offset: bigint): Buffer {
  const messages = ['a', 'b', 'c'].map((value) => ({ topic: 't', value: Buffer.from(value.repeat(20)) }));
  const bytes = Buffer.from(library.createRecordsBatch(messages).buffer);
  bytes.writeBigInt64BE(offset, 0);
  return bytes;
}

/** What a fetch makes of an answer. */
async function fetched(answer: Buffer) {
  const send = (...args: readonly unknown[]): void => {
    const [key, version, , parse, , , done] = args as [number, number, unknown, Parse, unknown, unknown, Done];
    try {
      done(null, parse(1, key, version, library.Reader.from(answer)));
    } catch (error) {
      done(error as Error);
    }
  };
  type Parse = (id: number, key: number, version: number, reader: library.Reader) => unknown;
  type Done = (error: Error | null, answer?: unknown) => void;
  const connection = { send } as unknown as library.Connection;
  return await fetchRequest(library).async(connection, 500, 1, 1, 1, 0, -1, [], [], '');
}

it('a batch with one changed bit is named by its offset and partition, and those before it are not taken', async () => {
  const whole = await fetched(fetchAnswer(3, [batchAt(4n), batchAt(7n)]));
  expect(whole.map(({ partition, log }) => [partition, log.batches.map((batch) => batch.firstOffset)])).toEqual([
    [3, [4n, 7n]],
  ]);
  expect(whole[0]?.log.batches[1]?.records.map(({ value }) => String(value))).toEqual(
    ['a', 'b', 'c'].map((value) => value.repeat(20)),
  );
  const batch = batchAt(7n);
  // Of the checksum itself, of its first byte, and of the last record.
  for (const place of [17, 21, batch.length - 5]) {
    const changed = Buffer.from(batch);
    changed.writeUInt8(changed.readUInt8(place) ^ 0x10, place);
    await expect(fetched(fetchAnswer(3, [batchAt(4n), changed]))).rejects.toMatchObject({
      code: 'INPUT_UNREADABLE',
      message: 'The batch at offset 7 of partition 3 has another checksum than it should.',
    });
  }
  // One whose length is before its own head.
  const short = Buffer.from(batch);
  short.writeInt32BE(3, 8);
  await expect(fetched(fetchAnswer(3, [short]))).rejects.toThrow('The batch at offset 7 of partition 3 has another');
  // The last one is cut off where the answer is full: it is read with the next answer.
  const cut = await fetched(fetchAnswer(3, [batchAt(4n), batch.subarray(0, batch.length - 1)]));
  expect(cut.map(({ log }) => log.batches.map(({ firstOffset }) => firstOffset))).toEqual([[4n]]);
});

/** A broker that answers each request by what it is told, or not at all. @returns its address */
async function broker(answer: (correlation: number) => Buffer | null): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    socket.on('data', (request) => {
      const sent = answer(Buffer.from(request).readInt32BE(8));
      if (sent !== null) socket.write(sent);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

/** The answer of a broker that knows these requests (key, first and last version), by the layout of the protocol (ApiVersionsResponse, version 3). */
const knows = (keys: readonly (readonly [number, number, number])[]) => (correlation: number) => {
  const entries = keys.map(([key, min, max]) => Buffer.from([0, key, 0, min, 0, max, 0]));
  const head = Buffer.alloc(6);
  head.writeInt32BE(correlation, 0);
  const body = Buffer.concat([head, Buffer.from([keys.length + 1]), ...entries, Buffer.alloc(5)]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length, 0);
  return Buffer.concat([length, body]);
};

it.each([
  [
    'knows older versions only',
    [
      [3, 0, 12],
      [2, 0, 8],
      [23, 0, 4],
      [1, 0, 12],
    ],
    '13 of Fetch and knows 0 to 12',
  ],
  [
    'has forgotten a version',
    [
      [3, 13, 14],
      [2, 0, 8],
      [23, 0, 4],
      [1, 0, 13],
    ],
    '12 of Metadata and knows 13 to 14',
  ],
  [
    'does not know a request',
    [
      [3, 0, 12],
      [2, 0, 8],
      [1, 0, 13],
    ],
    '4 of OffsetForLeaderEpoch and does not know it',
  ],
] as const)('a broker that %s is too old to be read', async (_, keys, text) => {
  const address = await broker(knows(keys));
  const client = await TopicClient.open({ brokers: [address] }, 't', undefined);
  onTestFinished(() => client.reset());
  await expect(client.describe()).rejects.toMatchObject({
    code: 'UNSUPPORTED_FEATURE',
    message: `The broker ${address} is asked by version ${text}: Kafka 3.6 or later is read.`,
  });
});

it('a broker that takes a request and says nothing is named, with what it was asked and for how long', async () => {
  const address = await broker(() => null);
  const connections = await ClusterConnections.open({ brokers: [address] }, undefined);
  onTestFinished(() => connections.reset());
  const [host = '', port] = address.split(':');
  connections.learn(new Map([[7, { host, port: Number(port) }]]));
  const never = () => new Promise<never>(() => undefined);
  await expect(connections.ask(7, 'records', never, 50)).rejects.toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
    message: `The broker ${address} gave no answer about records for 0.05 s.`,
  });
});

it('a partition whose leader is away, or is not in the metadata, is asked again later', async () => {
  const client = await TopicClient.open({ brokers: ['127.0.0.1:1'] }, 'uplinks', undefined);
  const led = (leader: number): TopicState => ({
    identity: { clusterId: 'c', topic: 'uplinks', topicId: 'i' },
    partitions: new Map([[2, { leader, leaderEpoch: 5 }]]),
  });
  const at = new Map([[2, { offset: 1n, leaderEpoch: 5 }]]);
  for (const asked of [
    client.bounds(led(-1), at),
    client.fetch(led(-1), at),
    client.fetch({ ...led(1), partitions: new Map() }, at),
  ])
    await expect(asked).rejects.toMatchObject({ code: 'KAFKA_UNAVAILABLE', message: 'uplinks-2 has no leader.' });
  await expect(client.fetch(led(7), at)).rejects.toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
    message: "The cluster's metadata has no broker 7 to ask about records.",
  });
});

it('no broker, a certificate without its key and files that cannot be read are refused before anybody is asked', async () => {
  const refused = (message: string) => ({ code: 'INVALID_ARGUMENT', message });
  await expect(TopicClient.open({ brokers: [] }, 't', undefined)).rejects.toMatchObject(
    refused('No broker of Kafka is given.'),
  );
  const file = join(temporaryFolder(), 'cert.pem');
  writeFileSync(file, 'PEM');
  for (const tls of [{ cert: file }, { key: file }, { ca: file, cert: file }])
    await expect(tlsOptions(tls)).rejects.toMatchObject(
      refused('A certificate for Kafka goes with its private key: give both.'),
    );
  await expect(tlsOptions({ ca: file, cert: file, key: `${file}.none` })).rejects.toMatchObject(
    refused(
      `The file ${file}.none for TLS with Kafka cannot be read: ENOENT: no such file or directory, open '${file}.none'.`,
    ),
  );
  expect(await tlsOptions({ ca: file, cert: file, key: file })).toEqual({ ca: 'PEM', cert: 'PEM', key: 'PEM' });
  expect([await tlsOptions(true), await tlsOptions(false), await tlsOptions(undefined)]).toEqual([
    {},
    undefined,
    undefined,
  ]);
});
