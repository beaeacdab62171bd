/** Logged features of a project: writing, reading back, comparing. */

import { MoraineError } from '../errors/index.js';
import { findFeatureService } from '../features/index.js';
import {
  type AppendedLog,
  type ComparisonProgress,
  compareLoggedFeatures,
  FeatureLogger,
  type FeatureLoggerOptions,
  type LogComparison,
  type LogDeps,
  type LoggedFeatures,
  type LogWindow,
  type ServedFeatures,
  withLoggedFeatures as withLogged,
  writeLoggedFeatures,
} from '../logging/index.js';
import { materializationDeps, type Project } from '../project/index.js';

/** Answers of a service in a window of the times that they are as of, as dates or in microseconds; its end is not in it. */
export interface LoggedFeaturesRequest extends LogWindow {
  readonly service: string;
  readonly start?: Date | undefined;
  readonly end?: Date | undefined;
  readonly signal?: AbortSignal;
}

/** Answers to compare with retrieval. */
export interface CompareLoggedFeaturesRequest extends LoggedFeaturesRequest {
  /** How many values that differ are shown of each feature and cause; 3 by default. */
  readonly examples?: number;
  /** About how many rows are compared at a time, 500,000 by default: temporary tables and memory are bounded by them. */
  readonly partRows?: number;
  readonly onProgress?: (progress: ComparisonProgress) => void;
}

/** Where a project's logs are: in its default catalog. */
export async function logDeps(project: Project): Promise<LogDeps> {
  const { config, io } = project;
  const namespace = config.logging.namespace.split('.');
  return { catalog: await project.catalog(), io, engine: await project.engine(), namespace };
}

/**
 * Opens a logger for the answers of a feature service. Close it before the project.
 * @throws FEATURE_SERVICE_NOT_FOUND; INVALID_ARGUMENT for an option out of its range
 */
export async function openFeatureLogger(
  project: Project,
  service: string,
  options: FeatureLoggerOptions = {},
): Promise<FeatureLogger> {
  await requireService(project, service);
  return new FeatureLogger(await logDeps(project), service, options);
}

/** How answers are written. */
export interface WriteLoggedFeaturesOptions {
  /** Answers written under the same key land once, however often that is tried. */
  readonly runKey?: string;
}

/**
 * Writes answers for a feature service in one commit.
 * @throws FEATURE_SERVICE_NOT_FOUND, INVALID_ARGUMENT, TYPE_MISMATCH, COMMIT_CONFLICT, COMMIT_STATE_UNKNOWN
 */
export async function writeLog(
  project: Project,
  service: string,
  served: readonly ServedFeatures[],
  { runKey }: WriteLoggedFeaturesOptions = {},
): Promise<AppendedLog> {
  await requireService(project, service);
  return writeLoggedFeatures(await logDeps(project), service, served, runKey);
}

/** Reads what was served, with all columns of the log. @throws TABLE_NOT_FOUND if nothing was */
export async function withLoggedFeatures<T>(
  project: Project,
  request: LoggedFeaturesRequest,
  use: (logged: LoggedFeatures) => Promise<T>,
): Promise<T> {
  return withLogged(await logDeps(project), { ...request, ...logWindow(request) }, use);
}

/** Compares what was served with what retrieval answers now. */
export async function compareLog(project: Project, request: CompareLoggedFeaturesRequest): Promise<LogComparison> {
  const deps = { ...(await materializationDeps(project)), ...(await logDeps(project)) };
  return compareLoggedFeatures(deps, { ...request, ...logWindow(request) });
}

/** A window in microseconds. @throws INVALID_ARGUMENT if it ends before it starts */
export function logWindow(request: Omit<LoggedFeaturesRequest, 'service'>): LogWindow {
  const startUs = request.start === undefined ? request.startUs : BigInt(request.start.getTime()) * 1000n;
  const endUs = request.end === undefined ? request.endUs : BigInt(request.end.getTime()) * 1000n;
  if (startUs !== undefined && endUs !== undefined && startUs > endUs) {
    throw new MoraineError('INVALID_ARGUMENT', 'The window of logged features ends before it starts.');
  }
  return { ...(startUs === undefined ? {} : { startUs }), ...(endUs === undefined ? {} : { endUs }) };
}

async function requireService(project: Project, service: string): Promise<void> {
  const registry = await project.registry();
  const { definitions } = await registry.read();
  findFeatureService(definitions, service);
}
