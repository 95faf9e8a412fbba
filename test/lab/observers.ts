import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon } from './daemon.js';
import { FirewallPair } from './firewall-pair.js';
import { kernelLines } from './flow-lines.js';
import type { Implementation } from './implementation.js';

/** Where a filter judges. */
export type Place = 'Userspace' | 'Kernelspace';

/** Several daemons that see the events of one kernel, each with a filter of its own. */
export class Observers {
  /** The second firewall is only the other end of the link. */
  private readonly pair = new FirewallPair();
  private readonly firewall = this.pair.a;
  private readonly daemons: Daemon[] = [];

  async start(implementation: Implementation, place: Place | null, clauses: readonly string[]): Promise<Daemon> {
    const link = { ...this.firewall.link('UDP'), port: 3780 + this.daemons.length };
    const filter = place === null ? [] : [`Filter From ${place} {`, ...clauses, '}'];
    const generalClauses = [...filter];
    const settings = { mode: 'FTFW' as const, link, generalClauses, syncClauses: ['PurgeTimeout 1'] };
    const daemon = new Daemon(this.firewall.namespace, implementation, settings);
    this.daemons.push(daemon);
    await daemon.start();
    return daemon;
  }

  loadFlows(text: string): void {
    const file = join(this.daemons[0]!.directory, 'flows');
    writeFileSync(file, text);
    this.firewall.namespace.run(['conntrack', '-R', file]);
  }

  flushKernelTable(): void {
    this.firewall.namespace.run(['conntrack', '-F']);
  }

  kernelTable(): string[] {
    return kernelLines(this.firewall.namespace.attempt(['conntrack', '-L']).stdout);
  }

  /** Stops and forgets them, so that the next ones can have their ports. */
  clear(): void {
    for (const daemon of this.daemons.splice(0)) daemon.remove();
  }

  remove(): void {
    this.clear();
    this.pair.remove();
  }
}
