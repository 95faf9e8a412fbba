import { healthOf, statusOf } from '../base/health-states.js';

/** Bytes of a reply that hold its first line, or, as JSON, the members up to `health`. */
const FIRST_LINE = 64;

/** Remembers how a reply began. */
export class ReplyStart {
  private text = '';

  add(bytes: Uint8Array): void {
    if (this.text.length < FIRST_LINE) this.text += Buffer.from(bytes.subarray(0, FIRST_LINE)).toString('latin1');
  }

  /** Exit status of `--health`; null when the reply is no verdict: a daemon in statistics mode, or another program. */
  status(): number | null {
    const health = healthOf(this.text);
    return health === null ? null : statusOf(health);
  }
}
