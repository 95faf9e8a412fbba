import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Firewall } from './firewall-pair.js';
import type { Namespace } from './namespace.js';
import { compiled } from './project.js';

/** What the client reports of one step. */
export interface FtpStep {
  readonly step: string;
  /** Received over a data connection. */
  readonly bytes: number;
  /** Empty when all went well. */
  readonly failure: string;
}

export type FtpStepName = 'login' | 'noop' | 'pasv' | 'passive' | 'port' | 'active';

/** What RETR sends. */
export const FTP_FILE_BYTES = 100_000;
export const FTP_PORT = 21;

/**
 * Makes a firewall track FTP, and forward data connections only where an expectation lets them: everything new but the
 * control connection is refused.
 */
export function trackFtp(firewall: Firewall): void {
  firewall.namespace.nft(`
table inet lab_ftp {
  ct helper ftp-standard { type "ftp" protocol tcp; }
  chain helpers { type filter hook prerouting priority filter; tcp dport ${FTP_PORT} ct helper set "ftp-standard"; }
  chain data { type filter hook forward priority 10; ct state new tcp dport != ${FTP_PORT} reject with tcp reset; }
}
`);
}

/** An FTP client and server with one control connection between them. */
export class FtpSession {
  private readonly children: ChildProcess[] = [];
  private readonly answers: AsyncIterator<string>;
  private readonly process: ChildProcess;

  private constructor(
    private readonly client: Namespace,
    own: string,
    private readonly server: Namespace,
    address: string,
    listening: ChildProcess,
  ) {
    this.process = client.start([process.execPath, compiled('test/lab/ftp-client'), address, String(FTP_PORT), own], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.children.push(listening, this.process);
    this.answers = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
  }

  static async open(client: Namespace, own: string, server: Namespace, address: string): Promise<FtpSession> {
    const listening = server.start([
      process.execPath,
      compiled('test/lab/ftp-server'),
      address,
      String(FTP_PORT),
      String(FTP_FILE_BYTES),
    ]);
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: listening.stdout! }).once('line', () => resolve());
      listening.once('exit', (status) => reject(new Error(`the FTP server ended, status ${status}`)));
    });
    const session = new FtpSession(client, own, server, address, listening);
    await session.take('login');
    return session;
  }

  /** @throws Error when the step failed. @returns bytes received over a data connection */
  async take(step: FtpStepName): Promise<number> {
    const { failure, bytes } = await this.attempt(step);
    if (failure !== '') throw new Error(`FTP ${step}: ${failure}`);
    return bytes;
  }

  async attempt(step: FtpStepName): Promise<FtpStep> {
    this.process.stdin!.write(`${step}\n`);
    const answer = await this.answers.next();
    return JSON.parse(answer.value as string) as FtpStep;
  }

  /** Bytes that either end has sent over the control connection and that the other has not acknowledged: Send-Q of ss(8). */
  unacknowledged(): number {
    const connections = [
      this.client.run(['ss', '-Htn', 'state', 'established', 'dport', '=', `:${FTP_PORT}`]),
      this.server.run(['ss', '-Htn', 'state', 'established', 'sport', '=', `:${FTP_PORT}`]),
    ];
    const queues = connections.map((lines) => /^\d+\s+(\d+)\s/.exec(lines)?.[1]);
    if (queues.includes(undefined)) throw new Error('an end of the control connection is gone');
    return queues.reduce((sum, bytes) => sum + Number(bytes), 0);
  }

  close(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }
}
