/** Module hooks (they run in Node's loader thread): TypeScript sources, `.js` that means `.ts`, and `moraine` itself. */
import { existsSync, readFileSync } from 'node:fs';
import type { LoadHook, ResolveHook } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Facts about the process for the hooks. */
export interface TypescriptHookData {
  readonly moraineUrl: string;
  /** The compiler; null where only JavaScript is expected. */
  readonly typescriptUrl: string | null;
}

/** The part of the `typescript` package that is used; the package belongs to the user's project. */
interface Transpiler {
  readonly ModuleKind: { readonly ESNext: number };
  readonly ScriptTarget: { readonly ES2022: number };
  transpileModule(
    source: string,
    options: { fileName: string; reportDiagnostics: boolean; compilerOptions: Record<string, unknown> },
  ): { readonly outputText: string; readonly diagnostics?: readonly Diagnostic[] };
  flattenDiagnosticMessageText(message: unknown, newLine: string): string;
}

interface Diagnostic {
  readonly messageText: unknown;
  readonly start?: number;
  readonly file?: { getLineAndCharacterOfPosition(position: number): { readonly line: number } };
}

let settings: TypescriptHookData | undefined;

export function initialize(data: TypescriptHookData): void {
  settings = data;
}

/** Falls back, where nothing else is found, to the TypeScript source of a `.js` name and to this package. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  try {
    return await nextResolve(specifier, context);
  } catch (error) {
    const source = typescriptSource(specifier, context.parentURL);
    if (source !== undefined) return { url: source, shortCircuit: true };
    if (specifier === 'moraine' && settings !== undefined) return { url: settings.moraineUrl, shortCircuit: true };
    throw error;
  }
};

function typescriptSource(specifier: string, parentUrl: string | undefined): string | undefined {
  if (!/^\.{1,2}\/.*\.m?js$/.test(specifier) || parentUrl === undefined) return undefined;
  const url = new URL(specifier.replace(/js$/, 'ts'), parentUrl);
  return existsSync(fileURLToPath(url)) ? url.href : undefined;
}

/** Turns TypeScript into an ES module; leaves everything else to Node. */
export const load: LoadHook = async (url, context, nextLoad) => {
  if (!/^file:.*\.m?ts$/.test(url) || settings?.typescriptUrl == null) return nextLoad(url, context);
  const compiler = ((await import(settings.typescriptUrl)) as { default: Transpiler }).default;
  const file = fileURLToPath(url);
  const { outputText, diagnostics } = compiler.transpileModule(readFileSync(file, 'utf8'), {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      module: compiler.ModuleKind.ESNext,
      target: compiler.ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  const mistake = diagnostics?.[0];
  if (mistake !== undefined) {
    const { line } = mistake.file?.getLineAndCharacterOfPosition(mistake.start ?? 0) ?? { line: 0 };
    throw new SyntaxError(`line ${line + 1}: ${compiler.flattenDiagnosticMessageText(mistake.messageText, ' ')}`);
  }
  return { format: 'module', source: outputText, shortCircuit: true };
};
