import tseslint from 'typescript-eslint';

// One list of forbidden forms for each kind of file: a later setting of the rule replaces an earlier one as a whole.
const SPREAD_INTO_MATH = {
  selector: "CallExpression[callee.object.name='Math'] > SpreadElement",
  message: 'Many values overflow the stack: use `largest`.',
};
const MKDIR = ':matches([callee.name=/^mkdir(Sync)?$/], [callee.property.name=/^mkdir(Sync)?$/])';
const RECURSIVE_MKDIR = {
  selector: `CallExpression${MKDIR} > ObjectExpression > Property[key.name='recursive']`,
  message: "Node's recursive mkdir never ends below /proc and on some network file systems: use `makeFolders`.",
};
/** SQL that calls one of DuckDB's readers of files. */
const READER_CALL = String.raw`/\b(read_(parquet|csv|n?djson|json|text|blob|duckdb)|parquet_(scan|schema|\w*metadata)|sniff_csv|glob)\w*\(/`;
const READER_CALLS = [`TemplateElement[value.raw=${READER_CALL}]`, `Literal[value=${READER_CALL}]`].map((selector) => ({
  selector,
  message:
    'Readers guess values and files from paths: build the call in engine/scan/file-readers.ts, which turns that off.',
}));
// A loop that turns without a step holds a worker's thread for ever: those without an end of their own are bounded by `turns()`.
const ENDLESS_LOOPS = ['WhileStatement', 'DoWhileStatement', 'ForStatement[test=null]'].map((selector) => ({
  selector,
  message: 'Write `for (const turn of turns())`.',
}));
const FORBIDDEN = [SPREAD_INTO_MATH, RECURSIVE_MKDIR, ...READER_CALLS];

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.moraine/**', 'coverage/**', 'examples/**'] },
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/only-throw-error': 'error',
      'no-restricted-syntax': ['error', ...FORBIDDEN],
      'max-lines': ['error', { max: 450, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    // The demo's expected values share no code with what they check.
    files: ['engine/scan/file-readers.ts', 'demo/expected.ts'],
    rules: { 'no-restricted-syntax': ['error', SPREAD_INTO_MATH, RECURSIVE_MKDIR] },
  },
  {
    files: ['workflows/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_$' }],
      'no-restricted-syntax': ['error', ...FORBIDDEN, ...ENDLESS_LOOPS],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'max-lines': 'off', 'no-restricted-syntax': 'off' },
  },
);
