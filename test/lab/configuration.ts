import { readFileSync } from 'node:fs';

/**
 * In a user namespace the kernel refuses socket buffers above its limit, which makes the original refuse to start: the
 * lab then leaves them at their default. The one mapping of the host's own namespace covers all user ids.
 */
const ownUserNamespace = !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));

const LINK_BUFFERS = ownUserNamespace ? [] : ['SndSocketBuffer 1249280', 'RcvSocketBuffer 1249280'];

/**
 * Room for the events of the largest load a test makes at once, some 800 bytes of kernel memory each: overruns are no
 * matter of these tests, and a busy machine would bring them about.
 */
const EVENT_BUFFER = ['NetlinkBufferSize 33554432', 'NetlinkBufferSizeMaxGrowth 67108864'];

/** What a configuration of the lab says; everything else stays at its default. */
export interface Settings {
  readonly mode: 'FTFW' | 'ALARM' | 'NOTRACK';
  /** Clauses of the `Mode` block, one a line: `CommitTimeout 180`. */
  readonly modeClauses?: readonly string[];
  readonly link: LinkSettings;
  /** Further clauses of `Sync`: `Options { ExpectationSync on }`. */
  readonly syncClauses?: readonly string[];
  /** Further clauses of `General`. */
  readonly generalClauses?: readonly string[];
  readonly hashSize?: number;
  readonly hashLimit?: number;
}

/** The dedicated link as one node sees it. */
export interface LinkSettings {
  readonly transport: 'UDP' | 'TCP' | 'Multicast';
  readonly device: string;
  readonly address: string;
  /** The peer's address, or the group. */
  readonly destination: string;
  readonly port?: number;
  readonly clauses?: readonly string[];
}

/** Where a node keeps its files. */
export interface NodePaths {
  readonly config: string;
  readonly log: string;
  readonly lock: string;
  readonly socket: string;
}

export function pathsIn(directory: string): NodePaths {
  return {
    config: `${directory}/conntrackd.conf`,
    log: `${directory}/log`,
    lock: `${directory}/lock`,
    socket: `${directory}/ctl`,
  };
}

/** The text of a configuration file. */
export function configurationText(settings: Settings, paths: NodePaths): string {
  const general = [
    `HashSize ${settings.hashSize ?? 32_768}`,
    `HashLimit ${settings.hashLimit ?? 262_144}`,
    'Systemd off',
    'Syslog off',
    `LogFile ${paths.log}`,
    `LockFile ${paths.lock}`,
    ...block('UNIX', [`Path ${paths.socket}`]),
    ...EVENT_BUFFER,
    ...(settings.generalClauses ?? []),
  ];
  const sync = [
    ...block(`Mode ${settings.mode}`, settings.modeClauses ?? []),
    ...linkBlock(settings.link),
    ...(settings.syncClauses ?? []),
  ];
  return `${[...block('Sync', sync), ...block('General', general)].join('\n')}\n`;
}

/** The `UDP`, `TCP` or `Multicast` block of a link. */
export function linkBlock(link: LinkSettings): string[] {
  const family = link.address.includes(':') ? 'IPv6' : 'IPv4';
  const addresses =
    link.transport === 'Multicast'
      ? [`${family}_address ${link.destination}`, `Group ${link.port ?? 3780}`].concat(
          family === 'IPv4' ? [`IPv4_interface ${link.address}`] : [],
        )
      : [
          `${family}_address ${link.address}`,
          `${family}_Destination_Address ${link.destination}`,
          `Port ${link.port ?? 3780}`,
        ];
  return block(link.transport, [
    ...addresses,
    `Interface ${link.device}`,
    ...LINK_BUFFERS,
    'Checksum on',
    ...(link.clauses ?? []),
  ]);
}

function block(title: string, clauses: readonly string[]): string[] {
  return [`${title} {`, ...clauses.map((clause) => `  ${clause}`), '}'];
}
