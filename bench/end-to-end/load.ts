import type { ChildProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Namespace } from '../../test/lab/namespace.js';
import { compiled } from '../../test/lab/project.js';
import { SHORT_BATCH } from './flow-batch.js';

/** A process in a namespace that answers each line of JSON with one. */
export class LineProcess<Command, Report> {
  private readonly child: ChildProcess;
  private readonly lines: Interface;

  /** @param module compiled module of the project, with its arguments */
  constructor(namespace: Namespace, module: string, ...words: string[]) {
    this.child = namespace.start([process.execPath, compiled(module), ...words], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.lines = createInterface({ input: this.child.stdout! });
  }

  ask(command: Command): Promise<Report> {
    const answer = this.nextLine();
    this.child.stdin!.write(`${JSON.stringify(command)}\n`);
    return answer.then((line) => JSON.parse(line) as Report);
  }

  close(): void {
    this.child.stdin!.end();
  }

  private nextLine(): Promise<string> {
    return new Promise((resolve, reject) => {
      const ended = (status: number | null): void => reject(new Error(`a helper process ended, status ${status}`));
      this.child.once('exit', ended);
      this.lines.once('line', (line) => {
        this.child.off('exit', ended);
        resolve(line);
      });
    });
  }
}

/** What is to happen to flows number `from` to `from + count - 1` of a kernel table. */
export interface LoadCommand {
  /** `churn`: each is created, and destroyed some time later: two events. */
  readonly what: 'create' | 'update' | 'destroy' | 'churn';
  readonly from: number;
  readonly count: number;
  /** Requests per second; 0: as fast as the kernel takes them. */
  readonly perSecond: number;
  /** Most requests per system call, up to BATCH. */
  readonly perCall: number;
}

export interface LoadReport {
  readonly milliseconds: number;
  /** Requests that the kernel refused. */
  readonly failed: number;
  /** Of churn: when each flow was created and destroyed, in milliseconds since 1970. */
  readonly createdAt: readonly number[];
  readonly destroyedAt: readonly number[];
}

/** A process in a namespace that creates, updates and destroys flows there by batched ctnetlink requests. */
export class LoadGenerator {
  private readonly process: LineProcess<LoadCommand, LoadReport>;

  constructor(namespace: Namespace) {
    this.process = new LineProcess(namespace, 'bench/end-to-end/load-process');
  }

  /** @throws Error when the kernel refused a request */
  async run(what: LoadCommand['what'], count: number, options: Partial<LoadCommand> = {}): Promise<LoadReport> {
    const report = await this.process.ask({ from: 0, perSecond: 0, perCall: SHORT_BATCH, ...options, what, count });
    if (report.failed > 0) throw new Error(`the kernel refused ${report.failed} of ${count} requests to ${what} flows`);
    return report;
  }

  close(): void {
    this.process.close();
  }
}
