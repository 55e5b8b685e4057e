// The service that every pod offers: what comes in goes back, over TCP and UDP.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

export type EchoPort = { readonly protocol: 'TCP' | 'UDP'; readonly port: number };

/** @throws Error when the port is taken */
export async function serveEcho({ protocol, port }: EchoPort): Promise<void> {
  if (protocol === 'TCP') {
    const server = createServer((socket) => {
      // A client that resets its connection has what it wanted.
      socket.on('error', () => socket.destroy());
      socket.pipe(socket);
    });
    server.listen({ port, host: '::', backlog: 1024 });
    await once(server, 'listening');
    return;
  }
  const socket = createSocket({ type: 'udp6', ipv6Only: false });
  // An answer that cannot be sent is lost, as datagrams may be.
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address, () => {}));
  socket.bind(port);
  await once(socket, 'listening');
}
