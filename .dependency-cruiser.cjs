/**
 * The room rules: each room may import only the rooms listed beside it, and only through their index.ts.
 * See ARCHITECTURE.md. Rooms import `type`-only edges under the same rules, but for workflows (see below).
 */
const LIBRARY = [
  'iceberg',
  'errors',
  'processes',
  'storage',
  'catalogs',
  'tables',
  'engine',
  'scans',
  'features',
  'online',
  'materialization',
  'training',
  'logging',
  'maintenance',
  'backfill',
  'deletes',
];
const MAY_IMPORT = {
  errors: [],
  iceberg: ['errors'],
  processes: ['errors'],
  config: ['iceberg', 'errors'],
  storage: ['iceberg', 'processes', 'errors'],
  catalogs: ['storage', 'iceberg', 'processes', 'errors'],
  tables: ['catalogs', 'storage', 'iceberg', 'errors'],
  engine: ['iceberg', 'processes', 'errors'],
  scans: ['tables', 'engine', 'storage', 'iceberg', 'errors'],
  features: ['scans', 'tables', 'engine', 'catalogs', 'storage', 'iceberg', 'errors'],
  online: ['features', 'scans', 'tables', 'engine', 'catalogs', 'storage', 'iceberg', 'errors'],
  materialization: ['online', 'features', 'scans', 'tables', 'engine', 'catalogs', 'storage', 'iceberg', 'errors'],
  training: ['features', 'scans', 'tables', 'engine', 'catalogs', 'storage', 'iceberg', 'errors'],
  logging: ['online', 'features', 'scans', 'tables', 'engine', 'catalogs', 'storage', 'iceberg', 'errors'],
  deletes: ['features', 'scans', 'tables', 'engine', 'catalogs', 'storage', 'iceberg', 'errors'],
  backfill: [
    'training',
    'materialization',
    'online',
    'features',
    'scans',
    'tables',
    'engine',
    'catalogs',
    'storage',
    'iceberg',
    'config',
    'errors',
  ],
  maintenance: [
    'deletes',
    'materialization',
    'online',
    'features',
    'scans',
    'tables',
    'engine',
    'catalogs',
    'storage',
    'iceberg',
    'errors',
  ],
  feast: ['features', 'catalogs', 'iceberg', 'config', 'errors'],
  project: [...LIBRARY, 'config'],
  activities: [...LIBRARY, 'project', 'config'],
  workflows: ['errors'],
  workers: [...LIBRARY, 'project', 'config', 'activities'],
  schedules: ['features', 'config', 'errors'],
  runs: ['activities', 'processes', 'errors'],
  testing: ['workers', 'errors'],
  client: [...LIBRARY, 'project', 'config', 'workers', 'schedules', 'runs'],
  cli: [...LIBRARY, 'feast', 'project', 'config', 'workers', 'schedules', 'runs', 'client', 'testing'],
};
const ROOMS = Object.keys(MAY_IMPORT);

const roomRules = ROOMS.flatMap((room) => {
  const forbidden = ROOMS.filter((other) => other !== room && !MAY_IMPORT[room].includes(other));
  const typeOnlyContract = room === 'workflows' || room === 'client' || room === 'workers';
  return [
    {
      name: `${room}-may-import`,
      comment: `${room} may import only: ${MAY_IMPORT[room].join(', ') || 'nothing'}`,
      severity: 'error',
      from: { path: `^${room}/` },
      to: {
        path: `^(${forbidden.join('|')})/`,
        ...(typeOnlyContract ? { pathNot: '^(activities/[a-z-]*contract\\.ts|workflows/)' } : {}),
      },
    },
    {
      name: `${room}-door`,
      comment: `other rooms enter ${room} only through its index.ts`,
      severity: 'error',
      from: { path: `^(${ROOMS.filter((other) => other !== room).join('|')})/` },
      to: { path: `^${room}/`, pathNot: `^(${room}/index\\.ts$|activities/[a-z-]*contract\\.ts$)` },
    },
  ];
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: `^(${ROOMS.join('|')})/` },
      to: { circular: true },
    },
    {
      name: 'workflow-code-is-only-a-type',
      comment:
        'workflow code runs in the sandbox: everybody else may only import its types, and workflows only the types of activities',
      severity: 'error',
      from: { path: `^(${ROOMS.join('|')})/`, pathNot: '^workflows/' },
      to: { path: '^workflows/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'workflows-import-activity-types-only',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^activities/', dependencyTypesNot: ['type-only'] },
    },
    { name: 'workflows-no-node', severity: 'error', from: { path: '^workflows/' }, to: { dependencyTypes: ['core'] } },
    {
      name: 'iceberg-is-pure',
      severity: 'error',
      from: { path: '^iceberg/' },
      to: { dependencyTypes: ['core'], pathNot: '^(zlib|buffer|crypto)$' },
    },
    {
      name: 'not-to-dev-dependencies',
      severity: 'error',
      from: { path: `^(${ROOMS.join('|')})/` },
      to: { dependencyTypes: ['npm-dev'] },
    },
    ...roomRules,
  ],
  options: {
    tsPreCompilationDeps: 'specify',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|node_modules|\\.moraine)/' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], conditionNames: ['import', 'types', 'default'] },
    tsConfig: { fileName: 'tsconfig.json' },
  },
};
