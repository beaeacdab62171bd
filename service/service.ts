/** The HTTP service: online features for clients of Feast, from the decoded rows of one reader. */
import dns, { type LookupAddress } from 'node:dns';
import { type SecureContextOptions, Server as TlsServer } from 'node:tls';
import fastify, { type FastifyInstance, type FastifyRequest, type FastifyServerOptions, LogController } from 'fastify';
import { logDeps, SourceWriter } from '../client/index.js';
import type { ServerConfig, TlsConfig } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import type { LeftOut } from '../feast/index.js';
import { OnlineReader, OnlineWriter } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { addRoute } from './add-route.js';
import { AnswerLog } from './answer-log.js';
import { limitArrival } from './arrival.js';
import { parseExactJson } from './exact-json.js';
import { FeastRegistryFile, type FeastRegistryFileOptions } from './feast-registry-file.js';
import { noteBody } from './idempotency-key.js';
import { WatchedKeys } from './key-file.js';
import { OfflineProcesses } from './offline-processes.js';
import { openApiDocument } from './openapi.js';
import { Pages } from './pages/add-pages.js';
import type { PageDeps } from './pages/deps.js';
import { endQueuedAnswers } from './queued-answers.js';
import { readiness } from './readiness.js';
import { RecentErrors } from './recent-errors.js';
import { MAX_BODY_BYTES, type Route } from './route.js';
import { routesOf } from './routes.js';
import { clientErrorHandler, errorNoter, errorSender, notFound } from './send-error.js';
import { limitSending } from './sending.js';
import { ServiceMetrics } from './service-metrics.js';
import { Shutdown } from './shutdown.js';
import { readTlsFiles } from './tls-files.js';
import { traceRequestsIfConfigured } from './tracing/trace-requests.js';
import { WatchedFiles } from './watched-files.js';
import { WriteRoom } from './write-room.js';

/** A service that listens. */
export interface Service {
  /** `http://host:port`, or `https://host:port` with TLS, with the port that port 0 has become. */
  readonly url: string;
  /** Takes no new connections, and finishes the requests in flight for `server.shutdownTimeoutMs` at most. */
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly project: Project;
  /** In place of those of the configuration. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** Version of the package, for the OpenAPI document. */
  readonly version: string;
  /** A registry file of Feast that follows the definitions: its absolute path, and its project in Feast. */
  readonly feastRegistry?: Pick<FeastRegistryFileOptions, 'path' | 'feastProject'> | undefined;
  /** Where the log is written, a line of JSON for each entry; standard error by default. */
  readonly log?: { write(line: string): void } | undefined;
}

/** How often Node looks for requests that do not arrive, in milliseconds. */
const CHECK_MS = 500;

/** Characters of a name in a path. Nothing limits names of tables here but the head of a request, to which Node gives 16 KiB. */
const MAX_PARAM_LENGTH = 2 ** 14;

/**
 * Opens a reader of the project's online tables and serves it.
 * @throws INVALID_ARGUMENT for an address that cannot be listened on, CONFIG_INVALID for a file of keys that cannot be read, or a public
 * address without keys
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { project } = options;
  const { server } = project.config;
  const [host, port] = [options.host ?? server.host, options.port ?? server.port];
  requireKeysOrLoopback(host, server);
  const errors = new RecentErrors();
  const note = errorNoter(errors);
  const sendError = errorSender(note);
  const tls = server.tls === undefined ? undefined : await readTlsFiles(server.tls);
  const app = createApp(server, { tls, log: options.log ?? process.stderr, sendError });
  endQueuedAnswers(app);
  const shutdown = new Shutdown(app, server.shutdownTimeoutMs);
  const tracing = await traceRequestsIfConfigured(app);
  const watchedTls = await followTls(app, server.tls);
  const keys =
    server.keyFile === undefined
      ? undefined
      : await WatchedKeys.open(server.keyFile, (error) => app.log.error(error, 'the file of API keys cannot be read'));
  const deps = await materializationDeps(project);
  const { readTimeoutMs, cacheBytes } = project.config.online;
  const reader = new OnlineReader({
    ...deps,
    readTimeoutMs,
    queueTimeoutMs: server.queueTimeoutMs,
    cacheBytes,
    refreshAlways: true,
  });
  const metrics = new ServiceMetrics(reader);
  const { requestTimeoutMs } = server;
  limitArrival(app, requestTimeoutMs, (error, request) => {
    const { status } = note(error, request);
    metrics.answered(pathOf(request), status, requestTimeoutMs / 1000);
  });
  limitSending(app, server.sendTimeoutMs);
  const { groupCommitMs, maxQueuedWrites: maxRequests, maxQueuedBytes: maxBytes } = server;
  const writer = new OnlineWriter(deps, groupCommitMs, {
    committed: (view, table) => reader.committed(view, table),
    grouped: (requests, outcome) => metrics.grouped(requests, outcome),
  });
  const sourceWriter = new SourceWriter(deps.engine, groupCommitMs, {
    grouped: (requests, outcome) => metrics.grouped(requests, outcome),
  });
  const room = new WriteRoom({ maxRequests, maxBytes });
  metrics.observeWrites(room);
  const answerLog = new AnswerLog(await logDeps(project), server.logFeatures, app.log);
  metrics.observeAnswerLog(answerLog);
  const { maxStalenessMs, maxEntities } = server;
  const offline = new OfflineProcesses(project.config, {
    processes: { value: server.maxRetrievals, name: 'server.maxRetrievals' },
  });
  const batches = new OfflineProcesses(project.config, {
    processes: { value: server.maxBatches, name: 'server.maxBatches' },
    timeoutMs: { value: server.batchTimeoutMs, name: 'server.batchTimeoutMs' },
  });
  metrics.observeProcesses('retrievals', offline);
  metrics.observeProcesses('batches', batches);
  const routeDeps = {
    ...{
      project,
      reader,
      writer,
      sourceWriter,
      room,
      answerLog,
      online: deps,
      metrics,
      maxStalenessMs,
      maxEntities,
      offline,
      batches,
    },
    ...{ closing: shutdown.begun, stopped: shutdown.stopped },
    definitions: () => deps.definitions(),
  };
  // Pages are answered from what reads are answered from, also while the catalog does not answer.
  const pageDeps = { ...routeDeps, definitions: (ms = maxStalenessMs) => reader.definitions(ms) };
  addRoutes(app, routesOf(routeDeps), { ...pageDeps, keys, errors, version: options.version });
  let feastRegistry: FeastRegistryFile | undefined;
  const closeAll = async (): Promise<void> => {
    await shutdown.close({
      end: () => Promise.all([offline.close(), batches.close()]),
      idle: async () => {
        // A push writes source tables first.
        await sourceWriter.idle();
        await Promise.all([writer.idle(), answerLog.flush()]);
        await feastRegistry?.close();
        await reader.close();
      },
    });
    await answerLog.close();
    keys?.close();
    watchedTls?.close();
    await tracing?.flush();
  };
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= closeAll());
  try {
    if (options.feastRegistry !== undefined) {
      const failed = (error: unknown): void => app.log.error(error, 'the registry file of Feast cannot be written');
      const leftOut = (definition: LeftOut): void =>
        app.log.warn(definition, 'the registry file of Feast is written without a definition');
      feastRegistry = await FeastRegistryFile.start({ ...options.feastRegistry, project, failed, leftOut });
    }
    const url = await listen(app, host, port);
    // The first requests need not wait for what has to be opened.
    void readiness(routeDeps).then((found) => app.log.info(found, 'views are opened'));
    void noteMissing(app, reader, { answerLog, maxStalenessMs });
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Says which feature services are to be logged and are not registered, which nothing else would show. */
async function noteMissing(
  { log }: FastifyInstance,
  reader: OnlineReader,
  { answerLog, maxStalenessMs }: { readonly answerLog: AnswerLog; readonly maxStalenessMs: number },
): Promise<void> {
  // Without definitions there is more amiss, and said.
  const definitions = await reader.definitions(maxStalenessMs).catch(() => undefined);
  const missing = definitions === undefined ? [] : answerLog.missingIn(definitions);
  for (const service of missing)
    log.warn(
      { service },
      'server.logFeatures names a feature service that is not registered: nothing is logged for it',
    );
}

function requireKeysOrLoopback(host: string, { keyFile }: ServerConfig): void {
  if (keyFile !== undefined || /^(127(\.\d{1,3}){3}|::1|localhost)$/i.test(host)) return;
  throw new MoraineError(
    'CONFIG_INVALID',
    `The service would answer everybody at the address ${host}: other machines may reach it, and no API keys are configured.`,
    {
      remedy: 'Name a file in server.keys and make a key with `moraine serve key create NAME`, or listen on 127.0.0.1.',
    },
  );
}

/** At both addresses of `localhost` Fastify would listen with two servers, of which it tells the one: its end and its certificate would be those of one alone. */
async function addressOf(host: string): Promise<string> {
  if (!/^localhost$/i.test(host)) return host;
  const found = await new Promise<readonly LookupAddress[]>((resolve, reject) =>
    dns.lookup(host, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error))),
  );
  return (found.find(({ family }) => family === 4) ?? found[0])?.address ?? host;
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host: await addressOf(host), port });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MoraineError('INVALID_ARGUMENT', `The service cannot listen at ${host}:${port}: ${reason}.`, {
      cause: error,
    });
  }
  const address = app.server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  return `${app.server instanceof TlsServer ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${bound}`;
}

/** New connections get the certificate that the files have then. */
async function followTls(app: FastifyInstance, tls: TlsConfig | undefined): Promise<{ close(): void } | undefined> {
  const { server } = app;
  if (tls === undefined || !(server instanceof TlsServer)) return undefined;
  return await WatchedFiles.open([tls.cert, tls.key], () => readTlsFiles(tls), {
    changed: (options) => {
      server.setSecureContext(options);
      app.log.info('the certificate was read again');
    },
    failed: (error) => app.log.error(error, 'the changed certificate cannot be used'),
  });
}

interface AppOptions {
  readonly tls: SecureContextOptions | undefined;
  readonly log: { write(line: string): void };
  readonly sendError: ReturnType<typeof errorSender>;
}

function createApp(server: ServerConfig, { tls, log, sendError }: AppOptions): FastifyInstance {
  // Bodies are limited by `limitArrival`, since some may take longer than others.
  const http = {
    requestTimeout: 0,
    headersTimeout: server.requestTimeoutMs,
    connectionsCheckingInterval: CHECK_MS,
  };
  const options: FastifyServerOptions = {
    logger: { level: server.logLevel, stream: log },
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // Requests on connections that are open are still answered while the service closes.
    return503OnClosing: false,
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allowUnionTypes: true,
        verbose: true,
      },
    },
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
    clientErrorHandler,
  };
  // The routes are the same; only the type of the server differs.
  const transport = tls === undefined ? { http } : { https: { ...http, ...tls } };
  const app: FastifyInstance = fastify({ ...options, ...transport } as FastifyServerOptions);
  app.removeAllContentTypeParsers();
  app.decorateRequest('apiKeyId', null);
  app.decorateRequest('bodyDigest', null);
  app.decorateRequest('bodyBytes', 0);
  app.decorateRequest('writeShare', null);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    try {
      noteBody(request, body);
      done(null, parseExactJson(body));
    } catch (error) {
      done(error as Error);
    }
  });
  app.setErrorHandler(sendError);
  return app;
}

interface Common extends Omit<PageDeps, 'document'> {
  readonly metrics: ServiceMetrics;
  readonly version: string;
}

function addRoutes(app: FastifyInstance, routes: readonly Route[], { keys, metrics, version, ...deps }: Common): void {
  const all: readonly Route[] = [
    ...routes,
    {
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document.',
      scope: null,
      answers: { 200: { type: 'object' } },
      handle: (_, reply) => reply.send(document),
    },
  ];
  const document = openApiDocument(all, version);
  const pages = new Pages({ ...deps, keys, document });
  for (const route of all) {
    // Parsers of bodies are those of one route only where they are added to a scope of its own.
    if (route.streamedTypes === undefined) addRoute(app, route, keys);
    else
      void app.register(async (scope) => {
        scope.addContentTypeParser([...(route.streamedTypes ?? [])], (_, body, done) => done(null, body));
        addRoute(scope, route, keys);
      });
  }
  pages.addTo(app);
  // Not a handler of its own: before anything is said about a body, since paths and methods that are not there take none.
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) throw notFound([...all, ...pages.routes], request, reply);
  });
  app.addHook('onResponse', async (request, reply) => {
    if (request.isLate) return;
    const path = pathOf(request);
    metrics.answered(path, reply.statusCode, reply.elapsedTime / 1000);
    request.log.debug({ method: request.method, path, status: reply.statusCode, ms: reply.elapsedTime }, 'answered');
  });
}

/** As metrics and the log name it. */
const pathOf = ({ routeOptions }: FastifyRequest): string => routeOptions.url ?? 'other';
