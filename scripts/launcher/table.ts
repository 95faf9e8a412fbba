import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Argument,
  BLOCK_NAMES,
  type BlockName,
  type Clause,
  clausesOf,
  KEYWORDS,
  MODE_BLOCKS,
  TCP_STATE_NAMES,
} from '../../grammar/clauses.js';
import { HEALTH_MEMBER, HEALTH_PREFIX, HEALTH_STATES } from '../../src/base/health-states.js';
import { DEFAULT_CONFIG_PATH } from '../../src/cli/arguments.js';
import { MESSAGES } from '../../src/cli/messages.js';
import { VERSION_TEXT } from '../../src/cli/version.js';
import { SYSLOG_FACILITIES } from '../../src/config/model.js';
import { HEALTH_CODE, JSON_CODE, jsonCode, REQUESTS, ROLE_DONE, ROLE_OPTION } from '../../src/control/requests.js';
import { READY_TEXT, READY_VARIABLE } from '../../src/daemon/background.js';

/** Where the table of the native client is; a test holds it to what this module makes. */
export const TABLE_PATH = 'native/launcher/table.h';

/**
 * What the native client knows of requests, clauses, messages and node's options: all of it declared elsewhere, in
 * TypeScript, and written down here in C++.
 */
export function launcherTable(projectRoot: string): string {
  return `// Written by \`npm run launcher\` from the tables in TypeScript; not edited by hand.
#pragma once

namespace launcher {

constexpr const char* kDefaultConfigPath = ${quoted(DEFAULT_CONFIG_PATH)};
// What -v prints.
constexpr const char* kVersion = ${quoted(`${VERSION_TEXT}\n`)};
constexpr const char* kReadyVariable = ${quoted(READY_VARIABLE)};
constexpr const char* kReadyText = ${quoted(READY_TEXT)};
constexpr const char* kNotReached = ${quoted(MESSAGES.notReached)};
constexpr const char* kBroken = ${quoted(MESSAGES.broken)};
constexpr const char* kNoConfig = ${quoted(MESSAGES.noConfig)};
constexpr const char* kNoRoles = ${quoted(MESSAGES.noRoles)};

// Options of node in the first line of bin/conntrackd.
constexpr const char* kNodeOptions[] = {${nodeOptions(projectRoot).map(quoted).join(', ')}};

// src/control/requests.ts: letter, word, code, code with -x, code with --json.
struct Request {
  char option;
  const char* word;
  int code, xml, json;
};
constexpr Request kRequests[] = {
${requestRows().join('\n')}
};

// Requests whose reply tells whether they succeeded: word after the option, code.
constexpr const char* kRoleOption = ${quoted(ROLE_OPTION)};
constexpr const char* kRoleDone = ${quoted(ROLE_DONE)};
struct Role {
  const char* word;
  int code;
};
constexpr Role kRoles[] = {${roleRows().join(', ')}};

// src/base/health-states.ts.
constexpr int kHealthCode = ${HEALTH_CODE};
constexpr int kHealthJsonCode = ${HEALTH_CODE | JSON_CODE};
constexpr const char* kHealthPrefix = ${quoted(HEALTH_PREFIX)};
constexpr const char* kHealthMember = ${quoted(HEALTH_MEMBER)};
struct HealthState {
  const char* name;
  int status;
};
constexpr HealthState kHealthStates[] = {${HEALTH_STATES.map(({ name, status }) => `{${quoted(name)}, ${status}}`).join(', ')}};

// grammar/clauses.ts.
enum Block : unsigned char { ${blocks.map(blockName).join(', ')}, kNoBlock };

// Things of which a file has only one, or which do not go together.
enum Mark : unsigned short { ${Object.entries(MARKS)
    .map(([name, bit]) => `k${name} = ${bit}`)
    .join(', ')} };
constexpr unsigned short kConflicts[] = {${CONFLICTS.map((names) => names.map((name) => `k${name}`).join(' | ')).join(', ')}};

struct Clause {
  Block block;
  const char* name;
  const char* takes;  // see Takes() in configuration.cc
  Block opens;
  unsigned least, most;  // of a number, or the most bytes of a path
  unsigned short mark;
  const char* warning;
};
constexpr Clause kClauses[] = {
${clauseRows().join('\n')}
};

// The words after Mode and the block each opens.
struct Mode {
  const char* word;
  Block opens;
};
constexpr Mode kModes[] = {${Object.entries(MODE_BLOCKS)
    .filter(([word, block]) => word === block)
    .map(([word, block]) => `{${quoted(word)}, ${blockName(block)}}`)
    .join(', ')}};

constexpr const char* kTcpStates = ${quoted(TCP_STATE_NAMES.join('|'))};
// No name may equal one of these: keywords as they are, the others in any case.
constexpr const char* kKeywords =
${KEYWORDS.map((word, index) => `    "${index === 0 ? '' : '|'}${word}"`).join('\n')};
constexpr const char* kBooleans = "on|yes|off|no";
constexpr const char* kModeWords = ${quoted(Object.keys(MODE_BLOCKS).join('|'))};

}  // namespace launcher
`;
}

/** The options in \`#!/usr/bin/env -S node OPTION...\`. */
function nodeOptions(projectRoot: string): string[] {
  const [first = ''] = readFileSync(join(projectRoot, 'bin/conntrackd'), 'utf8').split('\n');
  return first.replace(/^.* node /, '').split(' ');
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function blockName(block: BlockName): string {
  return `k${block[0]!.toUpperCase()}${block.slice(1)}`;
}

function requestRows(): string[] {
  return REQUESTS.filter(({ flag }) => /^-[^-]/.test(flag)).map((request) => {
    const { flag, code, xml } = request;
    const [option = '', word = ''] = flag.slice(1).split(' ');
    return `    {'${option}', ${quoted(word)}, ${code}, ${xml}, ${jsonCode(request)}},`;
  });
}

function roleRows(): string[] {
  const rows = REQUESTS.filter(({ flag }) => flag.startsWith(`${ROLE_OPTION} `));
  return rows.map(({ flag, code }) => `{${quoted(flag.slice(ROLE_OPTION.length + 1))}, ${code}}`);
}

const MARKS = {
  SyncGiven: 1,
  StatsGiven: 2,
  MulticastLink: 4,
  UdpLink: 8,
  TcpLink: 16,
  Ipv4Link: 32,
  Ipv6Link: 64,
  CommitTimeoutGiven: 128,
  NoExternalCache: 256,
} as const;
type MarkName = keyof typeof MARKS;

/** src/config/build*.ts complain about some of these; the launcher leaves all of them to Node. */
const CONFLICTS: readonly (readonly [MarkName, MarkName])[] = [
  ['SyncGiven', 'StatsGiven'],
  ['MulticastLink', 'UdpLink'],
  ['MulticastLink', 'TcpLink'],
  ['UdpLink', 'TcpLink'],
  ['Ipv4Link', 'Ipv6Link'],
  ['CommitTimeoutGiven', 'NoExternalCache'],
];

const MARK_OF_CLAUSE: Readonly<Record<string, MarkName>> = {
  Sync: 'SyncGiven',
  Stats: 'StatsGiven',
  Multicast: 'MulticastLink',
  UDP: 'UdpLink',
  TCP: 'TcpLink',
  CommitTimeout: 'CommitTimeoutGiven',
  DisableExternalCache: 'NoExternalCache',
};

function markOf({ name, key }: Clause): MarkName | null {
  if (key?.endsWith('Ipv4')) return 'Ipv4Link';
  if (key?.endsWith('Ipv6')) return 'Ipv6Link';
  return MARK_OF_CLAUSE[name] ?? null;
}

/** Blocks whose meaning the launcher does not check: a file with one is read by Node. */
const LEFT_TO_NODE: readonly BlockName[] = ['helper', 'helperType', 'policy'];

const blocks = BLOCK_NAMES.filter((block) => !LEFT_TO_NODE.includes(block));

function clauseRows(): string[] {
  return blocks.flatMap((block) =>
    [...clausesOf(block)]
      .filter(([, clause]) => clause.opens !== 'helper')
      .map(([spelling, clause]) => clauseRow(block, spelling, clause)),
  );
}

function clauseRow(block: BlockName, spelling: string, clause: Clause): string {
  const { opens, limits } = clause;
  const mark = markOf(clause);
  const fields = [
    blockName(block),
    quoted(spelling),
    quoted(takes(block, clause)),
    typeof opens === 'string' ? blockName(opens) : 'kNoBlock',
    `${limits?.least ?? 0}u`,
    `${limits?.mostBytes ?? limits?.most ?? mostOf(clause)}u`,
    mark === null ? '0' : `k${mark}`,
    clause.deprecated === undefined ? 'nullptr' : quoted(clause.deprecated),
  ];
  return `    {${fields.join(', ')}},`;
}

/** Ports are 16 bits (RFC 768, RFC 9293), all other numbers 32. */
function mostOf({ key }: Clause): number {
  return key === 'port' || key === 'metricsPort' ? 0xffff : 0xffff_ffff;
}

/** What follows the keyword, as the launcher's little language says it. */
function takes(block: BlockName, clause: Clause): string {
  if (clause.name === 'Mode') return 'm';
  if (clause.key === 'schedulerPolicy') return '=rr|RR|fifo|FIFO';
  if (clause.key === 'acceptFrom') return '=link|Link|peer|Peer|any|Any';
  if (clause.key === 'syslog') return `b=${SYSLOG_FACILITIES.join('|')}`;
  return `${clause.valueOrBlock ? '{' : ''}${clause.takes.map((argument) => argumentText(block, clause, argument)).join('')}`;
}

const VALUE_LETTERS: Readonly<Record<string, string>> = {
  integer: 'i',
  signed: 's',
  path: 'p',
  boolean: 'b',
  'boolean or path': 'bp',
  'boolean or integer': 'bi',
  name: 'n',
  interface: 'f',
};

function argumentText(block: BlockName, { name }: Clause, argument: Argument): string {
  if ('oneOf' in argument) return `=${argument.oneOf.join('|')}`;
  if ('optional' in argument)
    return `?${argument.optional}${argument.followedBy === undefined ? '' : `=${argument.followedBy.join('|')}`}`;
  if (argument.value !== 'address') return VALUE_LETTERS[argument.value]!;
  return `${block === 'addresses' ? '/' : ''}${name.startsWith('IPv4') ? '4' : '6'}`;
}
