/**
 * An FTP server of the few commands that make data connections, for one client at a time:
 * `node ftp-server ADDRESS PORT BYTES`. RETR sends so many bytes, whatever the name. Prints a line when it listens.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const [address = '', port = '', bytes = ''] = process.argv.slice(2);
const content = Buffer.alloc(Number(bytes), 'x');
/** A data connection that does not come up within this time is reported as failed. */
const DATA_TIMEOUT_MS = 5000;

/** One control connection. */
class Session {
  private passive: Server | null = null;
  private arrived: Promise<Socket> | null = null;
  /** Where PORT wants the data. */
  private active: { host: string; port: number } | null = null;

  constructor(private readonly control: Socket) {
    createInterface({ input: control }).on('line', (line) => {
      this.command(line).catch((error: Error) => this.reply(`425 ${error.message}`));
    });
    control.on('error', () => control.destroy());
    control.on('close', () => this.passive?.close());
    this.reply('220 ready');
  }

  private reply(text: string): void {
    this.control.write(`${text}\r\n`);
  }

  private async command(line: string): Promise<void> {
    const [name = '', argument = ''] = line.split(' ');
    switch (name.toUpperCase()) {
      case 'USER':
        return this.reply('331 password, please');
      case 'PASS':
        return this.reply('230 logged in');
      case 'PASV':
        return this.listen();
      case 'PORT':
        return this.remember(argument);
      case 'RETR':
        return this.retrieve();
      case 'NOOP':
        return this.reply('200 fine');
      default:
        return this.reply('502 not implemented');
    }
  }

  private async listen(): Promise<void> {
    this.passive?.close();
    const server = createServer();
    this.passive = server;
    this.active = null;
    this.arrived = new Promise((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    const { port: chosen } = server.address() as { port: number };
    this.reply(`227 Entering Passive Mode (${address.replaceAll('.', ',')},${chosen >> 8},${chosen & 255})`);
  }

  private remember(argument: string): void {
    const numbers = argument.split(',').map(Number);
    this.active = { host: numbers.slice(0, 4).join('.'), port: numbers[4]! * 256 + numbers[5]! };
    this.arrived = null;
    this.reply('200 PORT command successful');
  }

  private async retrieve(): Promise<void> {
    const data = this.active === null ? await this.accepted() : await this.dialled(this.active);
    this.reply('150 here it comes');
    data.end(content, () => this.reply('226 sent'));
  }

  private async accepted(): Promise<Socket> {
    if (this.arrived === null) throw new Error('neither PASV nor PORT came before');
    return withTimeout(this.arrived);
  }

  private dialled({ host, port: to }: { host: string; port: number }): Promise<Socket> {
    return withTimeout(
      new Promise((resolve, reject) => {
        const socket = connect(to, host, () => resolve(socket));
        socket.on('error', reject);
      }),
    );
  }
}

function withTimeout(socket: Promise<Socket>): Promise<Socket> {
  return Promise.race([
    socket,
    new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('no data connection')), DATA_TIMEOUT_MS);
    }),
  ]);
}

createServer((socket) => new Session(socket)).listen(Number(port), address, () => console.log('listening'));
