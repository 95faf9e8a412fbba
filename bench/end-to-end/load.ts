import type { ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Namespace } from '../../test/lab/namespace.js';
import { compiled } from '../../test/lab/project.js';

/** What is to happen to flows number `from` to `from + count - 1` of a kernel table. */
export interface LoadCommand {
  readonly what: 'create' | 'update' | 'destroy';
  readonly from: number;
  readonly count: number;
  /** 0: as fast as the kernel takes them. */
  readonly perSecond: number;
}

export interface LoadReport {
  readonly milliseconds: number;
  /** Requests that the kernel refused. */
  readonly failed: number;
}

/** A process in a namespace that creates, updates and destroys flows there by batched ctnetlink requests. */
export class LoadGenerator {
  private readonly child: ChildProcess;
  private readonly lines: Interface;

  constructor(namespace: Namespace) {
    this.child = namespace.start([process.execPath, compiled('bench/end-to-end/load-process')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.lines = createInterface({ input: this.child.stdout! });
  }

  /** @throws Error when the kernel refused a request */
  async run(what: LoadCommand['what'], count: number, perSecond = 0): Promise<LoadReport> {
    const command: LoadCommand = { what, from: 0, count, perSecond };
    const answer = this.nextLine();
    this.child.stdin!.write(`${JSON.stringify(command)}\n`);
    const report = JSON.parse(await answer) as LoadReport;
    if (report.failed > 0) throw new Error(`the kernel refused ${report.failed} of ${count} requests to ${what} flows`);
    return report;
  }

  close(): void {
    this.child.stdin!.end();
  }

  private nextLine(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.child.once('exit', (status) => reject(new Error(`the load generator ended, status ${status}`)));
      this.lines.once('line', resolve);
    });
  }
}
