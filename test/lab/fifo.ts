import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Firewall } from './firewall-pair.js';

/** A FIFO as keepalived makes one, and its side of it. */
export class Fifo {
  private fd = -1;

  constructor(readonly path: string) {}

  /** In the directory of a firewall's daemon, which must be there. */
  static beside(firewall: Firewall): Fifo {
    return new Fifo(join(firewall.daemon.directory, 'notify'));
  }

  /** keepalived starts: makes the FIFO and opens it so that it never blocks. */
  open(firewall: Firewall): void {
    firewall.namespace.run(['mkfifo', '-m', '600', this.path]);
    this.fd = openSync(this.path, 'r+');
  }

  write(text: string): void {
    writeSync(this.fd, text);
  }

  /** keepalived ends. @param remains killed, it leaves the FIFO behind */
  close(remains = false): void {
    if (this.fd === -1) return;
    if (!remains) rmSync(this.path);
    closeSync(this.fd);
    this.fd = -1;
  }

  /** It is started again after it was killed. */
  reopen(): void {
    this.fd = openSync(this.path, 'r+');
  }
}
