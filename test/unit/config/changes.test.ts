import { describe, expect, it } from 'vitest';
import { type BlockName, CLAUSES, type Clause } from '../../../grammar/clauses.js';
import { changedClauses, configInForce } from '../../../src/config/changes.js';
import { type Config, parseConfig } from '../../../src/config/index.js';

const UNIX = 'UNIX { Path /run/a.ctl }';
const LINK = 'UDP { IPv4_address 192.0.2.1 IPv4_Destination_Address 192.0.2.2 Port 3780 Interface lo }';
const GENERAL = `General { ${UNIX} }`;
const SYNC = `Sync { Mode FTFW { } ${LINK} }`;
const QUEUE = 'QueueNum 3 QueueLen 100 Policy ftp { ExpectMax 1 }';

/** A file in which `text` stands in a block. */
const FILES: Readonly<Record<BlockName, (text: string) => string>> = {
  file: (text) => text,
  general: (text) => `General { ${UNIX} ${text} } ${SYNC}`,
  unix: (text) => `General { UNIX { Path /run/a.ctl ${text} } } ${SYNC}`,
  metrics: (text) => `General { ${UNIX} Metrics { Path /run/a.metrics ${text} } } ${SYNC}`,
  scheduler: (text) => `General { ${UNIX} Scheduler { Type FIFO ${text} } } ${SYNC}`,
  filter: (text) => `General { ${UNIX} Filter { ${text} } } ${SYNC}`,
  protocols: (text) => `General { ${UNIX} Filter { Protocol Accept { ${text} } } } ${SYNC}`,
  addresses: (text) => `General { ${UNIX} Filter { Address Accept { ${text} } } } ${SYNC}`,
  states: (text) => `General { ${UNIX} Filter { State Accept { ${text} } } } ${SYNC}`,
  sync: (text) => `${GENERAL} Sync { ${text} }`,
  alarm: (text) => `${GENERAL} Sync { Mode ALARM { ${text} } ${LINK} }`,
  ftfw: (text) => `${GENERAL} Sync { Mode FTFW { ${text} } ${LINK} }`,
  notrack: (text) => `${GENERAL} Sync { Mode NOTRACK { ${text} } ${LINK} }`,
  multicast: (text) => `${GENERAL} Sync { Multicast { Interface lo ${text} } }`,
  udp: (text) => `${GENERAL} Sync { UDP { IPv4_Destination_Address 192.0.2.2 Interface lo ${text} } }`,
  tcp: (text) => `${GENERAL} Sync { TCP { IPv4_Destination_Address 192.0.2.2 Interface lo ${text} } }`,
  options: (text) => `${GENERAL} Sync { ${LINK} Options { ${text} } }`,
  expectations: (text) => `${GENERAL} Sync { ${LINK} Options { ExpectationSync { ${text} } } }`,
  stats: (text) => `${GENERAL} Stats { ${text} }`,
  helper: (text) => `${GENERAL} ${SYNC} Helper { ${text} }`,
  helperType: (text) => `${GENERAL} ${SYNC} Helper { Type ftp inet tcp { ${text} } }`,
  policy: (text) => `${GENERAL} ${SYNC} Helper { Type ftp inet tcp { Policy ftp { ExpectMax 7 ${text} } } }`,
};

/** Where `A` and `B` of each clause differ. A block before the name: only there. */
const VALUES: Readonly<Record<string, readonly [string, string]>> = {
  General: [`${GENERAL} ${SYNC}`, `${GENERAL} General { } ${SYNC}`],
  Sync: [`${GENERAL} ${SYNC}`, `${GENERAL} Stats { }`],
  Stats: [`${GENERAL} Stats { }`, `${GENERAL} ${SYNC}`],
  Helper: [`${GENERAL} ${SYNC}`, `${GENERAL} ${SYNC} Helper { }`],
  LogFile: ['LogFile on', 'LogFile /tmp/a'],
  Syslog: ['Syslog on', 'Syslog local3'],
  LockFile: ['LockFile /tmp/a', 'LockFile /tmp/b'],
  UNIX: ['UNIX { }', ''],
  Metrics: ['', 'Metrics { }'],
  Path: ['Path /tmp/a', 'Path /tmp/b'],
  NetlinkOverrunResync: ['NetlinkOverrunResync off', 'NetlinkOverrunResync 5'],
  Scheduler: ['', 'Scheduler { }'],
  'scheduler Type': ['Type RR', 'Type FIFO'],
  Filter: ['', 'Filter From Kernelspace { Protocol Accept { TCP } }'],
  Protocol: ['Protocol Accept { TCP }', 'Protocol Ignore { TCP }'],
  Address: ['Address Accept { IPv4_address 10.0.0.1 }', 'Address Ignore { IPv4_address 10.0.0.1 }'],
  State: ['State Accept { CLOSE for TCP }', 'State Ignore { CLOSE for TCP }'],
  Mode: [`Mode FTFW { ResendQueueSize 5 } ${LINK}`, `Mode ALARM { RefreshTime 5 } ${LINK}`],
  'sync CommitTimeout': [LINK, `${LINK} CommitTimeout 100`],
  'sync PurgeTimeout': [LINK, `${LINK} PurgeTimeout 100`],
  'sync RefreshTime': [`Mode ALARM { } ${LINK}`, `Mode ALARM { } ${LINK} RefreshTime 100`],
  'sync CacheTimeout': [`Mode ALARM { } ${LINK}`, `Mode ALARM { } ${LINK} CacheTimeout 100`],
  Options: [LINK, `${LINK} Options { }`],
  ExpectationSync: ['ExpectationSync { ftp }', 'ExpectationSync { ftp sip }'],
  NotifyFifo: ['NotifyFifo /run/one', 'NotifyFifo /run/other'],
  NotifyInstance: ['', 'NotifyInstance firewall'],
  UDP: [LINK, `${LINK} ${LINK}`],
  TCP: [LINK.replace('UDP', 'TCP'), `${LINK} ${LINK}`.replaceAll('UDP', 'TCP Default')],
  Multicast: ['Multicast { Interface lo }', 'Multicast { Interface lo } Multicast { Interface lo }'],
  'udp Interface': ['Interface lo', 'Interface eth1'],
  'tcp Interface': ['Interface lo', 'Interface eth1'],
  'multicast Interface': ['Interface lo', 'Interface eth1'],
  HealthFile: ['', 'HealthFile /run/health'],
  AcceptFrom: ['', 'AcceptFrom Peer'],
  KeyFile: ['', 'KeyFile /etc/conntrackd/link.key'],
  'helper Type': ['', `Type ftp inet tcp { ${QUEUE} }`],
  'helper QueueNum': ['Type ftp inet tcp { }', 'QueueNum 4 Type ftp inet tcp { }'],
  'helper QueueLen': ['Type ftp inet tcp { }', 'QueueLen 4 Type ftp inet tcp { }'],
  'helper Policy': ['Type ftp inet tcp { }', 'Policy ftp { ExpectTimeout 9 } Type ftp inet tcp { }'],
  Policy: ['', 'Policy ftp { ExpectTimeout 9 }'],
};

/** What stands for a value by its kind alone. */
function plainValues(clause: Clause): readonly [string, string] {
  const [argument] = clause.takes;
  if (argument === undefined || !('value' in argument)) throw new Error(`values of ${clause.name} are missing`);
  const { name } = clause;
  switch (argument.value) {
    case 'signed':
      return [`${name} -4`, `${name} -5`];
    case 'integer':
      return [`${name} 41`, `${name} 42`];
    case 'boolean':
      return clause.default === true ? ['', `${name} off`] : ['', `${name} on`];
    case 'address': {
      const [one, other] = name.startsWith('IPv6') ? ['2001:db8::1', '2001:db8::2'] : ['192.0.2.8', '192.0.2.9'];
      return [`${name} ${one}`, `${name} ${other}`];
    }
    default:
      throw new Error(`values of ${name} are missing`);
  }
}

function read(text: string): Config {
  const { config, diagnostics } = parseConfig(text, 'conntrackd.conf', { protocols: 'tcp 6' });
  if (config === null) throw new Error(`${text}: ${diagnostics.map(({ message }) => message).join()}`);
  return config;
}

const names = (before: Config, after: Config) => [
  ...new Set(changedClauses(before, after).map(({ clause }) => clause.name)),
];

/** What the log calls a clause whose change is reported as that of another. */
const REPORTED_AS: Readonly<Record<string, readonly string[]>> = {
  'file Sync': ['Stats', 'Sync'],
  'file Stats': ['Stats', 'Sync'],
  'helper Policy': ['ExpectTimeout'],
  'helperType Policy': ['ExpectTimeout'],
};
const FILTER_BLOCKS: readonly BlockName[] = ['filter', 'protocols', 'addresses', 'states'];

const all = CLAUSES.flatMap((clause) => clause.blocks.map((block) => ({ block, clause })));

describe('a clause that changed', () => {
  it.each(all.map((entry) => [entry.block, entry.clause.name, entry] as const))('%s %s', (block, name, { clause }) => {
    const [one, other] = VALUES[`${block} ${name}`] ?? VALUES[name] ?? plainValues(clause);
    const before = read(FILES[block](one));
    const after = read(FILES[block](other));
    const inForce = configInForce(before, after);
    const inFilter = FILTER_BLOCKS.includes(block);
    const reported = inFilter ? ['Filter'] : (REPORTED_AS[`${block} ${name}`] ?? [name]);
    const isLive = clause.reload === 'live' || clause.reload === 'live unless switched';
    expect(names(before, inForce)).toEqual(isLive ? reported : []);
    expect(names(inForce, after).sort()).toEqual(clause.reload === 'restart' ? [...reported].sort() : []);
    // Going back is no change at all.
    expect(names(configInForce(inForce, before), before)).toEqual([]);
  });

  it('ExpectationSync: on and off need a restart, the list does not', () => {
    const [off, on, list] = ['', 'ExpectationSync on', 'ExpectationSync { sip }'].map((text) =>
      read(FILES.options(text)),
    ) as [Config, Config, Config];
    expect(configInForce(off, list).sync?.options.expectations).toBeNull();
    expect(configInForce(list, off).sync?.options.expectations).toEqual(['sip']);
    expect(configInForce(on, list).sync?.options.expectations).toEqual(['sip']);
    expect(changedClauses(off, list)).toMatchObject([{ place: 'Options', before: 'off', after: 'sip' }]);
  });

  it('is named once with its block and both values', () => {
    const before = read(`${GENERAL} Sync { ${LINK} ${LINK} }`);
    const after = read(`${GENERAL} Sync { ${LINK} ${LINK.replace('3780', '3781')} }`);
    expect(changedClauses(before, after)).toEqual([
      { clause: expect.objectContaining({ name: 'Port' }), place: 'UDP 2', before: '3780', after: '3781' },
    ]);
  });

  it('of a link that came only the link is named', () => {
    const before = read(`${GENERAL} Sync { ${LINK} }`);
    expect(changedClauses(before, read(`${GENERAL} Sync { ${LINK} ${LINK} }`))).toMatchObject([{ place: 'UDP 2' }]);
  });

  it('an address of the other family is a change of both', () => {
    const before = read(FILES.udp(''));
    const after = read(FILES.udp('').replace('IPv4_Destination_Address 192.0.2.2', 'IPv6_Destination_Address ::2'));
    expect(names(before, after)).toEqual(['IPv4_Destination_Address', 'IPv6_Destination_Address']);
  });

  it('of another mode only the mode is named, and what both modes have is taken over', () => {
    const before = read(FILES.ftfw('ResendQueueSize 5'));
    const after = read(FILES.alarm('RefreshTime 5 PurgeTimeout 7'));
    const inForce = configInForce(before, after);
    expect(names(inForce, after)).toEqual(['Mode']);
    expect(inForce.sync).toMatchObject({ purgeTimeout: 7, mode: { kind: 'ftfw', resendQueueSize: 5 } });
  });

  it('CommitTimeout waits for the restart that ends direct injection', () => {
    const before = read(FILES.ftfw('DisableExternalCache on'));
    const after = read(FILES.ftfw('CommitTimeout 100'));
    const inForce = configInForce(before, after);
    expect(inForce.sync).toMatchObject({ commitTimeout: null, mode: { disableExternalCache: true } });
    expect(names(inForce, after).sort()).toEqual(['CommitTimeout', 'DisableExternalCache']);
  });

  it('comments, order and defaults written out are no change', () => {
    const before = read(`${GENERAL} ${SYNC}`);
    const after = read(`# moved\n${SYNC} General { HashLimit 262144 ${UNIX} LogFile off }`);
    expect(changedClauses(before, after)).toEqual([]);
  });
});
