/** Faults of servers, drawn from a seed: for the requests that reach a store or a catalog through a faulty proxy. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../worlds/random.js';
import type { MessageFate } from './faulty-connection.js';
import type { Fate, SeenRequest } from './faulty-proxy.js';
import type { CallFate } from './hive-server.js';

const LONGEST_DELAY_MS = 300;
const SLOW_BYTES_PER_SECOND = 20;

/** The weather of one test: how many faults there were, by their names. */
export class Weather {
  readonly #counts = new Map<string, number>();
  readonly #random: Random;
  readonly #rate: number;
  /** No faults any more. */
  isCalm = false;

  /** @param rate of faults, per request */
  constructor(random: Random, rate: number) {
    this.#random = random;
    this.#rate = rate;
  }

  readonly ofStore = (seen: SeenRequest): Promise<Fate> =>
    this.#draw(seen.method === 'GET' ? this.#reads() : CHANGES_OF_STORE);

  readonly ofRest = (): Promise<Fate> => this.#draw(OF_REST);

  readonly ofGlue = (): Promise<Fate> => this.#draw(OF_GLUE);

  readonly ofHive = (): Promise<CallFate> =>
    this.#draw<CallFate>([
      ['drop', 'drop'],
      ['lose', 'lose'],
      ['cut answer', 'cut'],
      ['silent', 'silent'],
    ]);

  readonly ofConnections = (): Promise<MessageFate> =>
    this.#draw<MessageFate>([
      ['lose', 'lose'],
      ['drop', 'drop'],
    ]);

  /** How many faults there were. */
  get total(): number {
    return [...this.#counts.values()].reduce((before, count) => before + count, 0);
  }

  /** `4 x drop, 2 x lose` */
  get summary(): string {
    return [...this.#counts].map(([name, count]) => `${count} x ${name}`).join(', ');
  }

  /** A fault of the list, or a delay, or none. */
  async #draw<T>(faults: readonly (readonly [string, T])[]): Promise<T | 'pass'> {
    if (this.isCalm || !this.#random.chance(2 * this.#rate)) return 'pass';
    const isDelay = this.#random.chance(0.5);
    const [name, fault] = isDelay ? (['delay', 'pass'] as const) : this.#random.pick(faults);
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    if (isDelay) await sleep(this.#random.int(1, LONGEST_DELAY_MS));
    return fault;
  }

  #reads(): readonly (readonly [string, Fate])[] {
    const part = this.#random.int(0, 99) / 100;
    return [
      ...REFUSALS_OF_STORE,
      ['page of somebody else', PAGE],
      ['cut body', { deliver: (answer) => ({ ...answer, cutAfter: Math.floor(answer.body.length * part) }) }],
      ['slow body', { deliver: (answer) => ({ ...answer, bytesPerSecond: SLOW_BYTES_PER_SECOND }) }],
      ['short range', { deliver: (answer) => (answer.status === 206 ? shortened(answer, part) : answer) }],
      ['other ETag', { deliver: (answer) => ({ ...answer, headers: { ...answer.headers, etag: '"other"' } }) }],
      ['other range', { deliver: (answer) => (answer.status === 206 ? ofOtherRange(answer) : answer) }],
    ];
  }
}

const shortened = <T extends { readonly body: Uint8Array }>(answer: T, part: number): T => ({
  ...answer,
  body: answer.body.subarray(0, Math.floor(answer.body.length * part)),
});

/** Bytes that nobody has asked for, as many as were. */
const ofOtherRange = <T extends { readonly body: Uint8Array; readonly headers?: object }>(answer: T): T => ({
  ...answer,
  headers: { ...answer.headers, 'content-range': 'bytes 99999999-99999999/*' },
  body: answer.body.map((byte) => 255 - byte),
});

const PAGE: Fate = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Log in, please.</html>' };
const storeError = (status: number, code: string): Fate => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>told by the proxy</Message></Error>`,
});

/** The server has done it; the answer is an error. */
const done = (status: number): Fate => ({
  deliver: (answer) => ({ ...answer, status, body: Buffer.from('<html>Bad gateway</html>') }),
});

const REFUSALS_OF_STORE: readonly (readonly [string, Fate])[] = [
  ['drop', 'drop'],
  ['lose', 'lose'],
  ['503 SlowDown', storeError(503, 'SlowDown')],
  ['500', storeError(500, 'InternalError')],
];

const CHANGES_OF_STORE: readonly (readonly [string, Fate])[] = [
  ...REFUSALS_OF_STORE,
  ['page of somebody else', PAGE],
  ['500, done', done(500)],
  ['503, done', done(503)],
];

const restError = (status: number, headers: Readonly<Record<string, string>> = {}): Fate => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify({ error: { message: 'told by the proxy', type: 'Exception', code: status } }),
});

const OF_REST: readonly (readonly [string, Fate])[] = [
  ['drop', 'drop'],
  ['lose', 'lose'],
  ['429', restError(429, { 'retry-after': '1' })],
  ['page of somebody else', PAGE],
  ['cut body', { deliver: (answer) => ({ ...answer, cutAfter: Math.floor(answer.body.length / 2) }) }],
  ...[500, 502, 503, 504].flatMap((status) => [
    [`${status}`, restError(status)] as const,
    [`${status}, done`, done(status)] as const,
  ]),
];

const glueError = (type: string, status: number): Fate => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.1' },
  body: JSON.stringify({ __type: type, message: 'told by the proxy' }),
});

const OF_GLUE: readonly (readonly [string, Fate])[] = [
  ['drop', 'drop'],
  ['lose', 'lose'],
  ['throttled', glueError('ThrottlingException', 400)],
  ['500', glueError('InternalServiceException', 500)],
  ['500, done', done(500)],
  ['503, done', done(503)],
  ['cut body', { deliver: (answer) => ({ ...answer, cutAfter: Math.floor(answer.body.length / 2) }) }],
];
