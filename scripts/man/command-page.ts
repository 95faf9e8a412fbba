import { DEFAULT_CONFIG_PATH } from '../../src/cli/arguments.js';
import { LONG_OPTIONS } from '../../src/cli/long-options.js';
import { REQUESTS } from '../../src/control/requests.js';
import { head, type Item, prose, tagged, typed, word } from './mdoc.js';

/** The letters that are no requests: src/cli/arguments.ts reads them by hand. */
const LETTERS: readonly { readonly letter: string; readonly value?: string; readonly does: string }[] = [
  {
    letter: 'd',
    does:
      'Run in the background. The command returns when the daemon serves, with status 0, or when it cannot start, ' +
      'with status 1 and the reason on the standard error.',
  },
  {
    letter: 'C',
    value: 'file',
    does: `Configuration file. The default is \`${DEFAULT_CONFIG_PATH}\`.`,
  },
  { letter: 'v', does: 'Show the version.' },
  { letter: 'h', does: 'Show a summary of options and requests.' },
  { letter: 'x', does: 'After `-i` or `-e`: the same as XML, one flow a line.' },
  { letter: 'S', does: 'Accepted with a warning. The clause Stats of the configuration chooses statistics mode.' },
];

function letterItems(): Item[] {
  return LETTERS.map(({ letter, value, does }) => ({
    title: value === undefined ? `.It Fl ${letter}` : `.It Fl ${letter} Ar ${value}`,
    lines: prose(does),
  }));
}

function longItems(): Item[] {
  return LONG_OPTIONS.map(({ name, value, does }) => ({
    title: value === undefined ? `.It Fl \\-${name}` : `.It Fl \\-${name} Ar ${value}`,
    lines: prose(sentence(does)),
  }));
}

/** `commit the flows` to `Commit the flows.` */
function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** What a request answers, by its option: whoever asks in a script has to know what comes and when. */
const ANSWERS: Readonly<Record<string, string>> = {
  '-c': 'Answers nothing, when the commit is over; its result is in the log.',
  '-f': 'Answers nothing. During a commit nothing is flushed but the internal cache alone.',
  '-F': 'Answers nothing, at once. Flows that the Filter does not let pass stay.',
  '-i': 'A line each.',
  '-e': 'A line each.',
  '-k': 'Answers when the daemon has let go of its files and sockets.',
  '-s': 'Answers with text.',
  '-R': 'Answers nothing, at once.',
  '-n': 'Answers nothing, at once.',
  '-B': 'Answers nothing, at once.',
  '--role':
    'Answers with one line when it is over, status 1 when it failed or a newer change of roles has overtaken it. The same role ' +
    'again does nothing harmful. In place of what the script below does by several requests.',
  '-t': 'Answers nothing, at once. Flows that the Filter does not let pass stay.',
};

function answerOf(option: string): string {
  const answer = ANSWERS[option];
  if (answer === undefined) throw new Error(`conntrackd(8): what does ${option} answer?`);
  return answer;
}

function requestItems(): Item[] {
  return REQUESTS.filter(({ flag }) => flag !== '').map(({ flag, does, modes }) => {
    const [option, subject] = flag.split(' ');
    const modeNote = modes.length === 1 ? ' Synchronisation mode only.' : '';
    return {
      title: `.It Fl ${option!.slice(1).replace('-', '\\-')}${subject === undefined ? '' : ` Cm ${word(subject)}`}`,
      lines: prose(`${sentence(does)}${modeNote} ${answerOf(option!)}`),
    };
  });
}

const FILES: readonly Item[] = [
  [DEFAULT_CONFIG_PATH, 'The configuration, see conntrackd.conf(5).'],
  [
    '/var/lock/conntrackd.lock',
    'The lock file, unless LockFile names another. Its first line is the process id of the daemon.',
  ],
  [
    '/var/run/conntrackd.ctl',
    'The control socket in the examples; UNIX in the configuration names it, there is no default.',
  ],
  ['/var/log/conntrackd.log', 'The log, with `LogFile on`.'],
  ['/var/log/conntrackd-stats.log', 'The log of flows that ended, in statistics mode with `LogFile on`.'],
  [
    '/etc/conntrackd/primary-backup.sh',
    'The script that keepalived(8) calls; where its example configuration expects it.',
  ],
].map(([path, text]) => ({ title: `.It Pa ${path}`, lines: prose(text!) }));

const SIGNALS: readonly Item[] = [
  ['SIGTERM, SIGINT', 'Stop, as by `-k`.'],
  [
    'SIGHUP',
    'Open the log files again and read the configuration again, as `systemctl reload` asks for. Clauses that have ' +
      'changed take effect, and the log names each; those that need a restart are named as well, and keep their value ' +
      'until then. A file with a mistake changes nothing: the log says why. Caches and peers are ' +
      'kept. Which clauses take effect is said in conntrackd.conf(5). A daemon on a terminal that is closed ends.',
  ],
].map(([name, text]) => ({ title: `.It ${word(name!)}`, lines: prose(text!) }));

const ENVIRONMENT: readonly Item[] = [
  [
    'TERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG, COLUMNS',
    'Read by `--top`: on a terminal that is `dumb` it prints blocks of text, with NO_COLOR it has no colours, in a locale ' +
      'without UTF-8 it is ASCII; COLUMNS is the width where there is no terminal.',
  ],
  ['NOTIFY_SOCKET, WATCHDOG_USEC', 'Set by systemd(1), which is told there that the daemon serves, stops, and lives.'],
  [
    'CONNTRACKD_BIN, CONNTRACKD_LOCK, CONNTRACKD_CONFIG',
    'Read by primary-backup.sh only: the program, its lock file and its configuration, where they are not in the usual ' +
      'places.',
  ],
].map(([name, text]) => ({ title: `.It ${word(name!)}`, lines: prose(text!) }));

/** Each status with when it is that. */
const STATUSES: readonly Item[] = [
  [
    '0',
    'A request: it was carried out and its answer has come. `-d`: the daemon serves. In the foreground: it was stopped ' +
      'in order. `--check`: a daemon would start with this file; there may be warnings.',
  ],
  [
    '1',
    'All else, with the reason on the standard error: nobody answers on the control socket, a word or option is not ' +
      'known, the configuration has errors or cannot be read, the daemon cannot start. Several requests stop at the ' +
      'first that fails.',
  ],
].map(([status, text]) => ({ title: `.It ${status}`, lines: prose(text!) }));

/** The page conntrackd(8). */
export function commandPage(date: string): string {
  const lines = [
    ...head('conntrackd', 8, 'replicates the connection tracking state of Linux firewalls', date),
    '.Sh SYNOPSIS',
    '.Nm',
    '.Op Fl d',
    '.Op Fl C Ar file',
    '.Nm',
    '.Ar request ...',
    '.Op Fl \\-json',
    '.Op Fl C Ar file | Fl \\-socket Ar path',
    '.Nm',
    '.Fl \\-top',
    '.Op Fl \\-page Ar name',
    '.Op Fl \\-interval Ar seconds',
    '.Op Fl \\-count Ar number',
    '.Op Fl C Ar file | Fl \\-socket Ar path',
    '.Nm',
    '.Fl \\-check',
    '.Op Fl \\-print | Fl \\-json',
    '.Op Fl C Ar file',
    '.Sh DESCRIPTION',
    ...prose(
      "The daemon keeps a copy of this firewall's connection table on its peers, and a copy of theirs here, so that " +
        'whichever firewall takes over knows the connections. What it does is said in conntrackd.conf(5). Without ' +
        'options it runs in the foreground and logs to the terminal as well.',
    ),
    '.Pp',
    ...prose(
      'With requests the program is a client of the daemon that runs already: it sends them over the control socket ' +
        'in the order given, prints the replies, and stops at the first that fails.',
    ),
    '.Pp',
    'The daemon needs the capability CAP_NET_ADMIN.',
    '.Sh OPTIONS',
    'Options of one letter are given apart, each after its own dash.',
    ...tagged([...letterItems(), ...longItems()]),
    '.Sh REQUESTS',
    'The word after a request may be abbreviated.',
    'In a mode a request has no meaning in, its reply is empty.',
    'Answers go to the standard output.',
    ...tagged(requestItems()),
    '.Sh SIGNALS',
    ...tagged(SIGNALS),
    '.Sh ENVIRONMENT',
    ...tagged(ENVIRONMENT),
    '.Sh FILES',
    ...tagged(FILES),
    '.Sh EXIT STATUS',
    ...tagged(STATUSES),
    '.Sh EXAMPLES',
    'Check a configuration before it is used:',
    ...typed(['conntrackd --check -C /etc/conntrackd/conntrackd.conf']),
    'Take over, as primary-backup.sh does when this firewall becomes the active one: commit, flush, resync, bulk.',
    ...typed(['conntrackd -c -f -R -B']),
    'The peers and links once a minute, for a log:',
    ...typed(['conntrackd --top --page peers --interval 60 >> peers.log']),
    'Which link is used, and whether it works:',
    ...typed(['conntrackd -s link']),
    '.Sh SEE ALSO',
    '.Xr conntrackd.conf 5 ,',
    '.Xr conntrack 8 ,',
    '.Xr keepalived 8 ,',
    '.Xr nft 8',
  ];
  return `${lines.join('\n')}\n`;
}
