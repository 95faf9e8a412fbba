/**
 * An FTP client that takes one step for each line on its standard input and answers each with a line of FtpStep in
 * JSON: `node ftp-client SERVER PORT OWN-ADDRESS`.
 *
 * `login`; `pasv` asks for a passive port; `passive` opens the data connection to the port asked for last and
 * retrieves; `port` announces an own port; `active` retrieves through it; `noop`.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { FtpStep } from './ftp-session.js';

const [server = '', port = '', own = ''] = process.argv.slice(2);
/** A step that takes longer has failed: well above the retransmissions of a short failover. */
const STEP_TIMEOUT_MS = 15_000;

const control = connect(Number(port), server);
const replies: string[] = [];
let waiting: ((line: string) => void) | null = null;
createInterface({ input: control }).on('line', (line) => {
  const wanted = waiting;
  waiting = null;
  if (wanted === null) replies.push(line);
  else wanted(line);
});

/** The server's next reply, which has to have this code. */
async function expectReply(code: number): Promise<string> {
  const line =
    replies.shift() ??
    (await new Promise<string>((resolve) => {
      waiting = resolve;
    }));
  if (!line.startsWith(`${code} `)) throw new Error(`${line} instead of ${code}`);
  return line;
}

async function command(text: string, code: number): Promise<string> {
  control.write(`${text}\r\n`);
  return expectReply(code);
}

async function received(socket: Socket): Promise<number> {
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  return bytes;
}

let passivePort = 0;
let listener: Server | null = null;
let accepted: Promise<Socket> | null = null;

/** The number is what came over a data connection. */
const steps: Record<string, () => Promise<number>> = {
  login: async () => {
    await expectReply(220);
    await command('USER lab', 331);
    await command('PASS lab', 230);
    return 0;
  },
  noop: async () => {
    await command('NOOP', 200);
    return 0;
  },
  pasv: async () => {
    const numbers = (/\(([\d,]+)\)/.exec(await command('PASV', 227))?.[1] ?? '').split(',').map(Number);
    passivePort = numbers[4]! * 256 + numbers[5]!;
    return 0;
  },
  passive: async () => {
    const data = connect(passivePort, server);
    await new Promise<void>((resolve, reject) => data.once('connect', resolve).once('error', reject));
    await command('RETR file', 150);
    const bytes = await received(data);
    await expectReply(226);
    return bytes;
  },
  port: async () => {
    const server = createServer();
    listener?.close();
    listener = server;
    accepted = new Promise((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(0, own, resolve));
    const { port: chosen } = server.address() as { port: number };
    await command(`PORT ${own.replaceAll('.', ',')},${chosen >> 8},${chosen & 255}`, 200);
    return 0;
  },
  active: async () => {
    const retrieved = command('RETR file', 150);
    const bytes = await received(await Promise.race([accepted!, retrieved.then(() => accepted!)]));
    await retrieved;
    await expectReply(226);
    return bytes;
  },
};

async function take(name: string): Promise<FtpStep> {
  try {
    const bytes = await Promise.race([
      steps[name]!(),
      new Promise<never>((_, reject) => {
        setTimeout(() => reject(new Error('timeout')), STEP_TIMEOUT_MS).unref();
      }),
    ]);
    return { step: name, bytes, failure: '' };
  } catch (error) {
    return { step: name, bytes: 0, failure: (error as Error).message };
  }
}

createInterface({ input: process.stdin })
  .on('line', async (name) => console.log(JSON.stringify(await take(name))))
  .on('close', () => process.exit(0));
