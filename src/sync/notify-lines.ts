import type { Role } from './role.js';

/** States of keepalived's VRRP instances and groups, and the role each means (keepalived.conf(5), vrrp_notify_fifo). */
const ROLES: Readonly<Record<string, Role>> = {
  MASTER: 'primary',
  BACKUP: 'backup',
  FAULT: 'fault',
  // keepalived ends and has given up the addresses.
  STOP: 'fault',
  // The instance is no longer in keepalived's configuration.
  DELETED: 'fault',
};

/** Of two states of different instances that one counts which asks for more. */
const RANK: readonly Role[] = ['primary', 'backup', 'fault'];

/** Longer than any line of keepalived with a name of sensible length. */
const MOST_LINE_BYTES = 1024;
/** Instances and groups that are remembered; keepalived has room for 255 on an interface. */
const MOST_NAMES = 1024;

const LINE = /^(INSTANCE|GROUP) "([^"]+)" ([A-Z_]+) \d+$/;
/** Lines about virtual servers and others, which share the FIFO when it is `notify_fifo`. */
const OTHER_LINE = /^[A-Z_]+( |$)/;

/**
 * Reads what keepalived writes to its notify FIFO, a line for each change of a state:
 *
 * ```
 *   INSTANCE "outside" MASTER 150
 *   GROUP "firewall" BACKUP 0
 * ```
 * Lines come in pieces of any size. What is no such line is counted and forgotten; no input grows memory.
 */
export class NotifyLines {
  heard = 0;
  ignored = 0;
  malformed = 0;

  private rest = '';
  /** The line that is being read is too long. */
  private skipping = false;
  private readonly states = new Map<string, Role>();

  /** @param name of the only instance or group that counts; null: all do */
  constructor(private readonly name: string | null) {}

  /** The writers are gone; a new one tells all of its states. */
  restart(): void {
    this.rest = '';
    this.skipping = false;
    this.states.clear();
  }

  /**
   * @param text the next bytes, as Latin-1
   * @returns the role that follows from what is known after these bytes; null when they tell no news. Primary when one
   *   of the names has become MASTER, whatever the others are.
   */
  read(text: string): Role | null {
    const lines = (this.rest + text).split('\n');
    this.rest = this.bounded(lines.pop()!);
    let told = false;
    let before = this.role();
    for (const line of lines) {
      if (this.skipping) {
        this.skipping = false;
        this.malformed++;
        continue;
      }
      const state = this.line(line);
      if (state === null) continue;
      told = true;
      // One that becomes MASTER beside others brings flows of its own.
      if (state === 'primary') before = null;
    }
    const now = this.role();
    return told && now !== before ? now : null;
  }

  private bounded(rest: string): string {
    if (rest.length <= MOST_LINE_BYTES) return this.skipping ? '' : rest;
    this.skipping = true;
    return '';
  }

  /** @returns the new state of one that counts, null when there is none */
  private line(line: string): Role | null {
    const match = line.length > MOST_LINE_BYTES ? null : LINE.exec(line);
    if (match === null) {
      if (line.length <= MOST_LINE_BYTES && OTHER_LINE.test(line) && !/^(INSTANCE|GROUP)\b/.test(line)) this.ignored++;
      else this.malformed++;
      return null;
    }
    const [, kind, name, word] = match;
    const role = ROLES[word!];
    const key = `${kind} ${name}`;
    const full = this.states.size >= MOST_NAMES && !this.states.has(key);
    if (role === undefined || (this.name !== null && name !== this.name) || full) {
      this.ignored++;
      return null;
    }
    this.heard++;
    const changed = this.states.get(key) !== role;
    this.states.set(key, role);
    return changed ? role : null;
  }

  private role(): Role | null {
    const states = new Set(this.states.values());
    return RANK.find((role) => states.has(role)) ?? null;
  }
}
