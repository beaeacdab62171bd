import tseslint from 'typescript-eslint';

/** SQL that calls one of DuckDB's readers of files. */
const READER_CALL = String.raw`/\b(read_(parquet|csv|n?djson|json|text|blob|duckdb)|parquet_(scan|schema|\w*metadata)|sniff_csv|glob)\w*\(/`;
const readerCall = {
  message: 'Readers guess values and files from paths: build the call in engine/file-readers.ts, which turns that off.',
};

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
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.object.name='Math'] > SpreadElement",
          message: 'Many values overflow the stack: use `largest`.',
        },
      ],
      'max-lines': ['error', { max: 450, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['**/*.ts'],
    // The tests and the demo's expected values share no code with what they check.
    ignores: ['engine/file-readers.ts', 'test/**', 'demo/expected.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        { ...readerCall, selector: `TemplateElement[value.raw=${READER_CALL}]` },
        { ...readerCall, selector: `Literal[value=${READER_CALL}]` },
      ],
    },
  },
  {
    // A loop that turns without a step holds a worker's thread for ever: those without an end of their own are bounded by `turns()`.
    files: ['workflows/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_$' }],
      'no-restricted-syntax': [
        'error',
        ...['WhileStatement', 'DoWhileStatement', 'ForStatement[test=null]'].map((selector) => ({
          selector,
          message: 'Write `for (const turn of turns())`.',
        })),
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { 'max-lines': 'off', 'no-restricted-syntax': 'off' },
  },
);
