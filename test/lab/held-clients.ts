import { connect, type Socket } from 'node:net';

/** Clients of a control socket that stay connected and read nothing, whatever they said. */
export class HeldClients {
  private readonly sockets: Socket[] = [];

  /** Connects one and has it write bytes, all of a request or less, or none. */
  connect(socketPath: string, bytes: readonly number[] = []): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(socketPath, () => {
        socket.pause();
        if (bytes.length === 0) resolve();
        else socket.write(Uint8Array.from(bytes), () => resolve());
      });
      socket.once('error', reject);
      // The daemon may close on a client it is tired of while the test still holds it.
      socket.on('error', () => undefined);
      this.sockets.push(socket);
    });
  }

  /** All of them go away. */
  hangUp(): void {
    for (const socket of this.sockets.splice(0)) socket.destroy();
  }
}
