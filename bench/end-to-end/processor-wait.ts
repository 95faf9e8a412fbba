import { closeSync, openSync, readSync } from 'node:fs';

/** How long a process, its main thread, could have run and had no processor: the second field of proc(5) schedstat. */
export class ProcessorWait {
  private readonly fd: number;
  private readonly text = Buffer.alloc(128);

  constructor(pid: number | 'self') {
    this.fd = openSync(`/proc/${pid}/schedstat`, 'r');
  }

  /** Milliseconds since the process began. */
  read(): number {
    const length = readSync(this.fd, this.text, 0, this.text.length, 0);
    return Number(this.text.toString('latin1', 0, length).split(' ')[1]) / 1e6;
  }

  close(): void {
    closeSync(this.fd);
  }
}
