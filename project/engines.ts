/** The engines of a project that may reduce source rows. */
import type { EngineChoice } from '../reduction/index.js';
import type { Project } from './project.js';

/** What a Trino was found to have is asked once for each open project. */
const opened = new WeakMap<Project, Promise<EngineChoice>>();

/** Nothing is asked of Trino yet. */
export function enginesOf(project: Project): Promise<EngineChoice> {
  const engines = opened.get(project) ?? openEngines(project);
  opened.set(project, engines);
  return engines;
}

async function openEngines(project: Project): Promise<EngineChoice> {
  const { engine, trino } = project.config;
  const { type, trinoAboveBytes } = engine;
  if (trino === null) return { type, trinoAboveBytes, trino: null };
  const { TrinoEngine } = await import('../reduction/index.js');
  const deps = { io: project.io, resolveTable: (name: string) => project.resolveTable(name) };
  return { type, trinoAboveBytes, trino: new TrinoEngine(trino, deps) };
}
