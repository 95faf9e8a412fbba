// The layers of doc/architecture.md: a folder imports only itself or a folder of a lower rank.
const ranks = [
  ['^src/base'],
  ['^grammar', '^src/flow', '^src/native'],
  ['^src/netlink', '^src/wire', '^src/config'],
  ['^src/kernel', '^src/channel', '^src/log'],
  ['^src/cache'],
  ['^src/sync', '^src/stats'],
  ['^src/control'],
  ['^src/metrics', '^src/top'],
  ['^src/daemon'],
  ['^src/cli'],
];
const all = (rows) => rows.flat().join('|');

const layerRules = ranks.flatMap((folders, rank) =>
  folders.map((folder) => ({
    name: `layer-${folder.slice(1).replace('/', '-')}`,
    comment: 'Calls go down the layers only; data comes back up through callbacks the lower layer declares.',
    severity: 'error',
    from: { path: `${folder}/` },
    to: {
      path: all(ranks.slice(rank)).replaceAll('|', '/|').concat('/'),
      pathNot: `${folder}/`,
    },
  })),
);

// One home per library, so that replacing one is a change in one folder.
const homes = {
  chevrotain: ['^grammar/', '^src/config/'],
  winston: ['^src/log/'],
  'logform|triple-beam': ['^src/log/'],
  commander: ['^src/cli/'],
  'node-gyp-build': ['^src/native/'],
  'prom-client': ['^src/metrics/'],
};
const libraryRules = Object.entries(homes).map(([library, folders]) => ({
  name: `home-of-${library.split('|')[0]}`,
  severity: 'error',
  from: { pathNot: folders.join('|') },
  to: { path: `node_modules/(${library})/` },
}));

// Pure folders: no sockets, no timers, no Date, no files; clock, logger, kernel and channel come in as arguments.
const pureRule = {
  name: 'pure-folders',
  severity: 'error',
  from: { path: '^(grammar|src/base|src/flow|src/netlink|src/wire|src/cache|src/sync)/' },
  to: { dependencyTypes: ['core'] },
};

// Keys and ciphers in one place, where they can be reviewed together.
const cryptoRule = {
  name: 'home-of-crypto',
  severity: 'error',
  from: { path: '^src/', pathNot: '^src/channel/seal\\.ts$' },
  to: { path: '^(node:)?crypto$' },
};

// No other programs are run, but for the daemon's own start in the background, and nft(8) where TakeoverHold asks for it
// (doc/decisions/0008-roles.md), both without a shell.
const processRule = {
  name: 'no-other-programs',
  severity: 'error',
  from: { path: '^src/', pathNot: '^src/daemon/(background|hold)\\.ts$' },
  to: { path: '^(node:)?child_process$' },
};

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...layerRules,
    ...libraryRules,
    pureRule,
    cryptoRule,
    processRule,
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
