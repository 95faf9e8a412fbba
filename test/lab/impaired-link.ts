import type { ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { FirewallPair, SYNC_DEVICE } from './firewall-pair.js';
import type { Impairment, LinkCounts } from './impairment.js';
import { connect, Namespace } from './namespace.js';
import { compiled } from './project.js';

/**
 * The dedicated link of a pair by way of a third namespace, in which a process plays the wire (wire-process.ts):
 *
 * ```
 * fw1 sync0 ---- left [wire] right ---- sync0 fw2
 * ```
 */
export class ImpairedLink {
  private readonly namespace = new Namespace('wire');
  private readonly wire: ChildProcess;
  private readonly answers: Interface;
  private standardError = '';

  /** @param pair made with `new FirewallPair(false)` */
  constructor(pair: FirewallPair) {
    connect(pair.a.namespace, SYNC_DEVICE, this.namespace, 'left');
    connect(pair.b.namespace, SYNC_DEVICE, this.namespace, 'right');
    // A real wire carries packets one by one: what the sender's kernel was given as one is cut before it gets there.
    for (const { namespace } of [pair.a, pair.b]) {
      namespace.run(['ip', 'link', 'set', 'dev', SYNC_DEVICE, 'gso_max_segs', '1']);
    }
    pair.addSyncAddresses();
    this.wire = this.namespace.start([process.execPath, compiled('test/lab/wire-process'), 'left', 'right']);
    this.wire.stderr?.on('data', (chunk: Buffer) => {
      this.standardError += chunk.toString('utf8');
    });
    this.answers = createInterface({ input: this.wire.stdout! });
  }

  /** Replaces what the link does to frames. Returns the frames counted so far; the first call waits for the wire. */
  impair(impairment: Impairment): Promise<LinkCounts> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`the wire has ended: ${this.standardError}`));
      this.wire.once('exit', ended);
      this.answers.once('line', (line) => {
        this.wire.off('exit', ended);
        resolve(JSON.parse(line) as LinkCounts);
      });
      this.wire.stdin?.write(`${JSON.stringify(impairment)}\n`);
    });
  }

  remove(): void {
    this.wire.kill('SIGKILL');
    this.namespace.remove();
  }
}

/** A pair joined by an impaired link. */
export async function impairedPair(impairment: Impairment): Promise<{ pair: FirewallPair; link: ImpairedLink }> {
  const pair = new FirewallPair(false);
  try {
    const link = new ImpairedLink(pair);
    await link.impair(impairment);
    return { pair, link };
  } catch (error) {
    pair.remove();
    throw error;
  }
}
