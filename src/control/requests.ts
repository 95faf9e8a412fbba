/**
 * The requests of the control socket (spec/control.md): the one table that the daemon's dispatch, the command line and
 * its help follow. A client writes the code as one native-endian 32-bit integer and reads text until end of file.
 *
 * It is plain data and imports nothing: the client loads it, and a client must start fast.
 */

/** In which configuration a request does something; in the other one its reply is empty. */
export type DaemonMode = 'sync' | 'stats';

export interface RequestEntry<Name extends string> {
  /** The 32-bit integer on the socket. */
  readonly code: number;
  /** How logs and tests call it. */
  readonly name: Name;
  /** How it is asked for, `-c ct`; empty when no option sends this code. */
  readonly flag: string;
  readonly modes: readonly DaemonMode[];
  /** What it does, for the help text and the documentation. */
  readonly does: string;
  /** The code sent instead when `-x` follows; 0 when `-x` may not follow. */
  readonly xml: number;
}

function request<const Name extends string>(
  code: number,
  name: Name,
  flag: string,
  modes: readonly DaemonMode[],
  does: string,
  xml = 0,
): RequestEntry<Name> {
  return { code, name, flag, modes, does, xml };
}

const BOTH: readonly DaemonMode[] = ['sync', 'stats'];
const SYNC: readonly DaemonMode[] = ['sync'];

/** What `--health` asks for; the exit status follows from the reply. */
export const HEALTH_CODE = 272;

/**
 * Rows of one option stand in the order in which an abbreviated word is matched: the first row that begins with what
 * was typed wins (spec/control.md "Command line").
 *
 * Codes from 256 on are ours. The original answers codes that it does not know with nothing (spec/findings.md 39).
 *
 * Modes as the original takes them (spec/findings.md 39): with `Stats`, `-f` alone (45) does nothing, 19 and 33 do.
 */
export const REQUESTS = [
  request(46, 'ALL_COMMIT', '-c', SYNC, 'commit the external cache to the kernel'),
  request(18, 'CT_COMMIT', '-c ct', SYNC, 'commit the flows of the external cache'),
  request(42, 'EXP_COMMIT', '-c expect', SYNC, 'commit the expectations of the external cache'),
  request(45, 'ALL_FLUSH_CACHE', '-f', SYNC, 'flush the internal and the external cache'),
  request(33, 'CT_FLUSH_INT_CACHE', '-f internal', BOTH, 'flush the internal cache'),
  request(34, 'CT_FLUSH_EXT_CACHE', '-f external', SYNC, 'flush the external cache'),
  request(43, 'ALL_FLUSH_MASTER', '-F', BOTH, 'flush the kernel tables'),
  request(0, 'CT_FLUSH_MASTER', '-F ct', BOTH, 'flush the kernel flows'),
  request(38, 'EXP_FLUSH_MASTER', '-F expect', BOTH, 'flush the kernel expectations'),
  request(16, 'CT_DUMP_INTERNAL', '-i', BOTH, 'show the internal cache', 24),
  request(16, 'CT_DUMP_INTERNAL', '-i ct', BOTH, 'show the flows of the internal cache', 24),
  request(40, 'EXP_DUMP_INTERNAL', '-i expect', SYNC, 'show the expectations of the internal cache', 47),
  request(17, 'CT_DUMP_EXTERNAL', '-e', SYNC, 'show the external cache', 25),
  request(17, 'CT_DUMP_EXTERNAL', '-e ct', SYNC, 'show the flows of the external cache', 25),
  request(41, 'EXP_DUMP_EXTERNAL', '-e expect', SYNC, 'show the expectations of the external cache', 48),
  request(20, 'KILL', '-k', BOTH, 'stop the daemon'),
  request(21, 'STATS', '-s', BOTH, 'show statistics'),
  request(28, 'STATS_NETWORK', '-s network', SYNC, 'show statistics of messages and links'),
  request(29, 'STATS_CACHE', '-s cache', BOTH, 'show statistics of the caches'),
  request(30, 'STATS_RUNTIME', '-s runtime', BOTH, 'show uptime and statistics of the kernel socket'),
  request(31, 'STATS_LINK', '-s link', SYNC, 'show the state of the dedicated links'),
  request(32, 'STATS_RSQUEUE', '-s rsqueue', SYNC, 'show what waits for acknowledgement (FTFW)'),
  request(35, 'STATS_PROCESS', '-s process', BOTH, 'show child processes (there are none)'),
  request(36, 'STATS_QUEUE', '-s queue', SYNC, 'show the lengths of the queues'),
  request(256, 'STATS_LATENCY', '-s latency', BOTH, 'show how long things take and keep others waiting'),
  request(260, 'STATS_SECURITY', '-s security', SYNC, 'show what the dedicated links refused, and what they sealed'),
  request(323, 'STATS_ROLE', '-s role', SYNC, 'show the role of this node and where it is heard of'),
  request(288, 'STATS_TALKERS', '-s talkers', BOTH, 'show the addresses and services with the most flows'),
  request(
    HEALTH_CODE,
    'STATS_HEALTH',
    '-s health',
    SYNC,
    'show how it stands between this node and its peers, and why',
  ),
  request(336, 'STATS_WARNINGS', '-s warnings', BOTH, 'show what is set up badly, and what to do'),
  request(21, 'STATS', '-s ct', BOTH, 'show statistics of flows'),
  request(37, 'EXP_STATS', '-s expect', SYNC, 'show statistics of expectations'),
  request(44, 'ALL_RESYNC_MASTER', '-R', BOTH, 'resync the internal cache from the kernel'),
  request(1, 'CT_RESYNC_MASTER', '-R ct', BOTH, 'resync the flows from the kernel'),
  request(39, 'EXP_RESYNC_MASTER', '-R expect', BOTH, 'resync the expectations from the kernel'),
  request(23, 'REQUEST_DUMP', '-n', SYNC, 'ask the peers for all their flows (FTFW and NOTRACK)'),
  request(22, 'SEND_BULK', '-B', SYNC, 'send all flows to the peers (FTFW and NOTRACK)'),
  request(26, 'RESET_TIMERS', '-t', SYNC, 'flush the kernel table in PurgeTimeout seconds'),
  request(320, 'ROLE_PRIMARY', '--role primary', SYNC, "this node takes over: the peers' flows, then all that follows"),
  request(321, 'ROLE_BACKUP', '--role backup', SYNC, 'this node stands by'),
  request(322, 'ROLE_FAULT', '--role fault', SYNC, 'this node is out of order'),
  request(19, 'CT_FLUSH_CACHE', '', BOTH, 'flush the flows of both caches'),
  request(24, 'CT_DUMP_INT_XML', '', BOTH, 'show the flows of the internal cache as XML'),
  request(25, 'CT_DUMP_EXT_XML', '', SYNC, 'show the flows of the external cache as XML'),
  request(47, 'EXP_DUMP_INT_XML', '', SYNC, 'show the expectations of the internal cache as XML'),
  request(48, 'EXP_DUMP_EXT_XML', '', SYNC, 'show the expectations of the external cache as XML'),
] as const;

export type RequestName = (typeof REQUESTS)[number]['name'];
export type Request = RequestEntry<RequestName>;

/** The option whose word is a role. It is written out: what a wrong one does is not undone by the right one. */
export const ROLE_OPTION = '--role';

/** The request for a role; undefined when there is none of that name. */
export function findRole(word: string): Request | undefined {
  return REQUESTS.find(({ flag }) => flag === `${ROLE_OPTION} ${word}`);
}

/**
 * With these words begins the reply to a change of roles that succeeded. Any other reply is the reason why not; none
 * comes from a daemon that does not know the request.
 */
export const ROLE_DONE = 'role ';

/** Whether the reply to a request tells whether it succeeded. */
export function hasVerdict(code: number): boolean {
  return requestOf(code)?.flag.startsWith(ROLE_OPTION) === true;
}

/** Whether a request only shows something: statistics and dumps. */
export function isReadOnly({ name }: Request): boolean {
  return name.includes('STATS') || /DUMP_(INT|EXT)/.test(name);
}

/** Added to the code of a request that shows something: its reply as JSON. No request's own code has this bit. */
export const JSON_CODE = 0x1000;

/** Options whose requests have a reply in JSON. */
const JSON_FLAG = /^-[ise]( |$)/;

/** The code that asks for the same as JSON; 0 where there is no such reply. */
export function jsonCode({ code, flag }: RequestEntry<string>): number {
  return JSON_FLAG.test(flag) ? code | JSON_CODE : 0;
}

/** Bytes of a request on the socket. */
export const REQUEST_BYTES = 4;

const byCode = new Map<number, Request>(REQUESTS.map((entry) => [entry.code, entry]));

/** The request of a code; undefined for codes nobody sends (27 is one that the original knows and does not use). */
export function requestOf(code: number): Request | undefined {
  return byCode.get(code);
}

/** What `-OPTION WORD` asks for, the word abbreviated or empty; undefined when the option has no such word. */
export function findRequest(option: string, word: string): Request | undefined {
  const bare = `-${option}`;
  return REQUESTS.find((entry) => (word === '' ? entry.flag === bare : entry.flag.startsWith(`${bare} ${word}`)));
}

/** Whether `-OPTION` is a request at all. */
export function isRequestOption(option: string): boolean {
  return findRequest(option, '') !== undefined;
}

/** Whether words may follow `-OPTION`. */
export function takesWord(option: string): boolean {
  return REQUESTS.some((entry) => entry.flag.startsWith(`-${option} `));
}
