/** The server of a byte counter connection: sends back what it receives. `byte-counter-server ADDRESS PORT` */
import { createServer } from 'node:net';

const [address = '', port = '0'] = process.argv.slice(2);

const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.pipe(socket);
  // A connection that breaks is seen, and told, by the client.
  socket.on('error', () => socket.destroy());
});
server.listen(Number(port), address, () => console.log('ready'));
