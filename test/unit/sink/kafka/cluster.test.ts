/** Addresses of brokers, what their errors mean, framed Snappy, and how long they are asked again. */
import { AuthenticationError, NetworkError, ResponseError, UnsupportedCompressionError } from '@platformatic/kafka';
import { expect, it } from 'vitest';
import { MoraineError } from '../../../../errors/index.js';
import { framedSnappy } from '../../../../sink/kafka/codecs.js';
import { brokerAddress } from '../../../../sink/kafka/kafka-access.js';
import { hasKafkaError, kafkaError } from '../../../../sink/kafka/kafka-errors.js';
import { outlast } from '../../../../sink/kafka/patience.js';

it.each([
  ['kafka-1.example.org:9093', 'kafka-1.example.org', 9093],
  ['localhost', 'localhost', 9092],
  ['[::1]:19092', '::1', 19_092],
])('the broker %s', (text, host, port) => expect(brokerAddress(text)).toEqual({ host, port }));

it.each(['', 'a:b', 'a:0', 'a:65536', 'http://a:1', '::1', 'a b:1'])('the broker %j is refused', (text) =>
  expect(() => brokerAddress(text)).toThrow(`The broker ${JSON.stringify(text)} is not HOST:PORT.`),
);

const METADATA = 3;
const response = (code: number) => new ResponseError(METADATA, 12, { '/topics/0': code }, {});
const gone = new NetworkError('Connection closed');
const certificate = Object.assign(new Error('self-signed certificate in certificate chain'), {
  code: 'SELF_SIGNED_CERT_IN_CHAIN',
});

it.each([
  [
    'a broker that is away',
    new NetworkError('Connection to h:1 failed.', { cause: new Error('connect ECONNREFUSED') }),
    'KAFKA_UNAVAILABLE',
  ],
  ['another leader', response(6), 'KAFKA_UNAVAILABLE'],
  [
    'a broker that goes in the middle of a login',
    new NetworkError('Connection to h:1 failed.', { cause: new AuthenticationError('No.', { cause: gone }) }),
    'KAFKA_UNAVAILABLE',
  ],
  [
    'a wrong password',
    new NetworkError('Connection to h:1 failed.', { cause: new AuthenticationError('No.', { cause: response(58) }) }),
    'UNAUTHENTICATED',
  ],
  [
    'a certificate that nobody knows',
    new NetworkError('Connection to h:1 failed.', { cause: certificate }),
    'UNAUTHENTICATED',
  ],
  ['a topic that the user may not read', response(29), 'PERMISSION_DENIED'],
  ['a codec that is not there', new UnsupportedCompressionError('No.'), 'INPUT_UNREADABLE'],
  ['bytes that are no records', new RangeError('Out of bounds'), 'INPUT_UNREADABLE'],
])('%s', (_, error, code) => expect(kafkaError(error, 'records').code).toBe(code));

it("an error of ours stays what it is, and Kafka's own errors are told apart", () => {
  const own = new MoraineError('CANCELLED', 'cancelled');
  expect(kafkaError(own, 'records')).toBe(own);
  expect(kafkaError(response(3), 'the topic').message).toMatch(
    /^Kafka gave no answer about the topic: .*\(UNKNOWN_TOPIC_OR_PARTITION\)\.$/,
  );
  expect(hasKafkaError(kafkaError(response(3), 'the topic'), 'UNKNOWN_TOPIC_OR_PARTITION')).toBe(true);
  expect(hasKafkaError(response(6), 'UNKNOWN_TOPIC_OR_PARTITION')).toBe(false);
});

it('Snappy is read block by block where it has a frame, and as one block where it has none', () => {
  const raw = (block: Buffer) => Buffer.from(block.toString('latin1').toUpperCase(), 'latin1');
  const header = Buffer.from('\x82SNAPPY\0\0\0\0\x01\0\0\0\x01', 'latin1');
  const framed = Buffer.concat([
    header,
    Buffer.of(0, 0, 0, 3),
    Buffer.from('abc'),
    Buffer.of(0, 0, 0, 1),
    Buffer.from('d'),
  ]);
  expect(framedSnappy(framed, raw).toString()).toBe('ABCD');
  expect(framedSnappy(Buffer.from('abcd'), raw).toString()).toBe('ABCD');
  for (const end of [framed.length - 1, framed.length - 3])
    expect(() => framedSnappy(framed.subarray(0, end), raw)).toThrow('is cut short');
});

it('brokers that are away are asked again, with new connections, until the limit; other errors end at once', async () => {
  const notices: string[] = [];
  let [asked, reset] = [0, 0];
  const options = { limitMs: 60_000, signal: undefined, onNotice: (text: string) => notices.push(text) };
  const away = () => new MoraineError('KAFKA_UNAVAILABLE', 'Away.');
  const work = async () => {
    asked += 1;
    if (asked <= 2) throw away();
    return await Promise.resolve('records');
  };
  expect(await outlast(work, () => (reset += 1), options)).toBe('records');
  expect({ asked, reset, notices }).toEqual({
    ...{ asked: 3, reset: 2 },
    notices: ['Away. Asking again for up to 1 min 0 s.', 'Kafka answers again.'],
  });
  const never = async () => await Promise.reject(away());
  await expect(outlast(never, () => undefined, { ...options, limitMs: 0 })).rejects.toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
    message: 'Away. It was asked for 0 ms.',
  });
  const denied = new MoraineError('PERMISSION_DENIED', 'No.');
  await expect(
    outlast(
      async () => await Promise.reject(denied),
      () => undefined,
      options,
    ),
  ).rejects.toBe(denied);
  const stop = new AbortController();
  const waiting = outlast(never, () => stop.abort(), { ...options, signal: stop.signal });
  await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
});
