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
 * control connection is dropped.
 */
export function trackFtp(firewall: Firewall): void {
  firewall.namespace.nft(`
table inet lab_ftp {
  ct helper ftp-standard { type "ftp" protocol tcp; }
  chain helpers { type filter hook prerouting priority filter; tcp dport ${FTP_PORT} ct helper set "ftp-standard"; }
  chain data { type filter hook forward priority 10; ct state new tcp dport != ${FTP_PORT} drop; }
}
`);
}

/** An FTP client and server with one control connection between them. */
export class FtpSession {
  private readonly children: ChildProcess[] = [];
  private readonly answers: AsyncIterator<string>;
  private readonly client: ChildProcess;

  private constructor(client: Namespace, own: string, address: string, listening: ChildProcess) {
    this.client = client.start([process.execPath, compiled('test/lab/ftp-client'), address, String(FTP_PORT), own], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.children.push(listening, this.client);
    this.answers = createInterface({ input: this.client.stdout! })[Symbol.asyncIterator]();
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
    const session = new FtpSession(client, own, address, listening);
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
    this.client.stdin!.write(`${step}\n`);
    const answer = await this.answers.next();
    return JSON.parse(answer.value as string) as FtpStep;
  }

  close(): void {
    for (const child of this.children) child.kill('SIGKILL');
  }
}
