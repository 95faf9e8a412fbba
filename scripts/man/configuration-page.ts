import {
  type Argument,
  BLOCK_NAMES,
  BLOCK_TITLES,
  type BlockName,
  CLAUSES,
  type Clause,
  type Reload,
  TCP_STATE_NAMES,
} from '../../grammar/clauses.js';
import { head, type Item, prose, tagged, typed, word } from './mdoc.js';

/** Blocks that hold a list of words in place of clauses. */
const LISTS: Readonly<Partial<Record<BlockName, string>>> = {
  protocols: 'Names of protocols as in `/etc/protocols`, or `TCP` and `UDP`.',
  states: `One or more of ${TCP_STATE_NAMES.map((state) => `\`${state}\``).join(', ')}, then \`for TCP\`.`,
  expectations: 'Names of helpers: `ftp`, `sip`. A name also stands for all that begin with it.',
};

function argumentText(argument: Argument): string {
  if ('value' in argument) return `Ar ${word(argument.value)}`;
  if ('oneOf' in argument) return `Cm ${argument.oneOf.map(word).join(' | ')}`;
  const { optional, followedBy } = argument;
  const inner = followedBy === undefined ? '' : ` ${followedBy.map(word).join(' | ')}`;
  return `Oo Cm ${word(optional)}${inner} Oc`;
}

/** The line of a clause: keyword, what follows, and whether a block opens. */
export function titleOf(clause: Clause): string {
  const words = [`.It Ic ${word(clause.name)}`, ...clause.takes.map(argumentText)];
  if (clause.opens !== undefined) words.push(clause.valueOrBlock ? 'No \\&| { ... }' : 'No { ... }');
  return words.join(' ');
}

function valueText(value: number | boolean | string): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}

/** What the page says about a change of a clause while the daemon runs. */
const RELOAD_TEXTS: Readonly<Record<Reload, string>> = {
  live: 'A change takes effect upon SIGHUP.',
  'live unless switched':
    'A change of the list takes effect upon SIGHUP; on instead of off, or off instead of on, needs a restart.',
  restart: 'A change needs a restart.',
  'by its clauses': '',
  nothing: '',
};

/** What else there is to know about a clause, a sentence each. */
function notes(clause: Clause): string[] {
  const { aliases, default: standard, on, unit, limits, effect } = clause;
  const found: string[] = [];
  if (standard !== undefined) found.push(`Default: \`${valueText(standard)}\`${unitText(unit)}.`);
  else if (unit !== undefined) found.push(`In ${unit}.`);
  if (clause.zeroIsDefault) found.push('0 stands for the default.');
  if (on !== undefined && !clause.summary.includes(String(on))) found.push(`\`on\` stands for \`${on}\`.`);
  if (limits?.least !== undefined) found.push(`At least ${limits.least}.`);
  if (limits?.most !== undefined) found.push(`At most ${limits.most}.`);
  if (limits?.mostBytes !== undefined && !clause.summary.includes(String(limits.mostBytes)))
    found.push(`At most ${limits.mostBytes} bytes long.`);
  if (aliases !== undefined) found.push(`Also written ${aliases.map((alias) => `\`${alias}\``).join(' or ')}.`);
  if (effect.kind === 'none') found.push(`Accepted, without effect: ${effect.reason}.`);
  if (RELOAD_TEXTS[clause.reload] !== '') found.push(RELOAD_TEXTS[clause.reload]);
  return found;
}

function unitText(unit: Clause['unit']): string {
  return unit === undefined ? '' : ` ${unit}`;
}

function itemOf(clause: Clause): Item {
  return { title: titleOf(clause), lines: [...prose(clause.summary), ...notes(clause).flatMap(prose)] };
}

/** The clauses that open a block, as a path from outside: `Sync, Mode FTFW`. */
function parentsOf(block: BlockName): string {
  const opening = CLAUSES.filter(
    ({ opens }) => opens === block || (typeof opens === 'object' && opensOneOf(opens, block)),
  );
  const parents = new Set(opening.flatMap(({ blocks }) => blocks.map((parent) => BLOCK_TITLES[parent])));
  return [...parents].join(', ');
}

function opensOneOf(opens: Readonly<Record<string, BlockName>>, block: BlockName): boolean {
  return Object.values(opens).includes(block);
}

function section(block: BlockName): string[] {
  const clauses = CLAUSES.filter(({ blocks }) => blocks.includes(block));
  const list = LISTS[block];
  const title = block === 'file' ? 'THE FILE' : `THE BLOCK ${BLOCK_TITLES[block]}`;
  return [
    `.Sh ${title}`,
    ...(block === 'file' ? ['Outside all blocks there may be:'] : [`Inside: ${parentsOf(block)}.`]),
    ...(list === undefined ? [] : prose(list)),
    ...(clauses.length === 0 ? [] : tagged(clauses.map(itemOf))),
  ];
}

const MINIMAL = `Sync {
	Mode FTFW {
	}
	UDP {
		IPv4_address 192.168.100.1
		IPv4_Destination_Address 192.168.100.2
		Port 3780
		Interface eth2
	}
}
General {
	LogFile on
	UNIX {
		Path /var/run/conntrackd.ctl
	}
}`;

/** The example of the page, which a test parses. */
export const EXAMPLE = MINIMAL;

/** The page conntrackd.conf(5). */
export function configurationPage(date: string): string {
  const lines = [
    ...head('conntrackd.conf', 5, 'configuration of conntrackd', date),
    '.Sh DESCRIPTION',
    ...prose(
      'The file holds clauses: a keyword, its values, and for some a block in braces. Keywords are case-sensitive, ' +
        'on, off, yes, no and the names of modes are not. A `#` begins a comment. Blanks and line ends only separate. ' +
        'Blocks may come in any order; when a clause is given twice, the later one counts.',
    ),
    '.Pp',
    ...prose(
      'Numbers are decimal and fit into 32 bits. A path begins with a slash and ends at white space. A name begins ' +
        'with a letter and goes on with letters, digits, dots, dashes and underscores. A boolean is on, yes, off or no.',
    ),
    '.Pp',
    ...prose(
      'Before it is used, `conntrackd --check` reads the file and says what is wrong with it, what has no effect, and ' +
        'what this version does not support.',
    ),
    '.Pp',
    ...prose(
      'A running daemon reads the file again upon SIGHUP, see conntrackd(8). Each clause below says whether a change of ' +
        'it takes effect then, or needs a restart.',
    ),
    '.Pp',
    'A file has a block Sync or a block Stats, not both.',
    'There are at most four dedicated links, all of one kind.',
    'They are tried in their order; Default marks the one that is used first.',
    ...BLOCK_NAMES.flatMap(section),
    '.Sh EXAMPLES',
    'The least that two firewalls need; the other one has the two addresses exchanged:',
    ...typed(MINIMAL.split('\n')),
    '.Sh SEE ALSO',
    '.Xr conntrackd 8',
  ];
  return `${lines.join('\n')}\n`;
}
