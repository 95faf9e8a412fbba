import { type Outcome, receive } from '../control/client.js';
import type { StatisticsReply, TalkersReply } from '../control/json.js';
import { findRequest, jsonCode } from '../control/requests.js';

/** What came of a question. */
export type Answer<Reply> =
  | { readonly reply: Reply }
  /** `foreign`: there is an answer, and it is none that this program understands. */
  | { readonly reply: null; readonly why: Outcome | 'foreign' };

/** A daemon that is busy answers between two slices of its work, within milliseconds; this is for one that is stopped. */
const TIMEOUT_MS = 3000;
/** 255 peers with their reasons are some hundred kilobytes. */
const MOST_BYTES = 1 << 20;

const STATISTICS_CODE = codeOf('');
const TALKERS_CODE = codeOf('talkers');

function codeOf(word: string): number {
  return jsonCode(findRequest('s', word)!);
}

/** Asks the daemon behind a control socket, each time by a connection of its own: a daemon that was restarted answers, too. */
export class Source {
  constructor(private readonly path: string) {}

  statistics(): Promise<Answer<StatisticsReply>> {
    return this.ask(STATISTICS_CODE, isStatistics);
  }

  talkers(): Promise<Answer<TalkersReply>> {
    return this.ask(TALKERS_CODE, isTalkers);
  }

  private async ask<Reply>(code: number, isReply: (value: unknown) => value is Reply): Promise<Answer<Reply>> {
    const { outcome, text } = await receive(this.path, code, { mostBytes: MOST_BYTES, timeoutMs: TIMEOUT_MS });
    if (outcome !== 'done') return { reply: null, why: outcome };
    const value = parsed(text);
    return isReply(value) ? { reply: value } : { reply: null, why: 'foreign' };
  }
}

/** Null for what is no JSON: the original's daemon, which answers such requests with nothing. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The sections that are read, and what each is; null is allowed where it is in statistics mode. */
const SECTIONS: Readonly<Record<keyof StatisticsReply, 'number' | 'string' | 'array' | 'object' | 'object or null'>> = {
  format: 'number',
  mode: 'string',
  uptimeSeconds: 'number',
  hashLimit: 'number',
  health: 'object or null',
  peers: 'object or null',
  warnings: 'array',
  caches: 'array',
  expectationCaches: 'object or null',
  traffic: 'object',
  channel: 'object or null',
  network: 'object',
  netlink: 'object',
  control: 'object',
  controlMessages: 'number',
  queues: 'array',
  commits: 'object or null',
  latency: 'array',
  role: 'object or null',
  processes: 'array',
};

/** Whether it is of the format this program knows; what comes with it has at least these members then (doc/schema). */
export function isStatistics(value: unknown): value is StatisticsReply {
  if (!isObject(value) || value.format !== 1) return false;
  return Object.entries(SECTIONS).every(([name, kind]) => {
    const section = value[name];
    if (kind === 'array') return Array.isArray(section);
    if (kind === 'object') return isObject(section);
    if (kind === 'object or null') return section !== undefined;
    return typeof section === kind;
  });
}

export function isTalkers(value: unknown): value is TalkersReply {
  return isObject(value) && value.format === 1 && Array.isArray(value.caches);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
