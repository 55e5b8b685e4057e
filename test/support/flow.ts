// One end of a flow between namespaces, for tests: a program of its own that prints, every few milliseconds, how many
// packets it has seen and when the last one came.
//
//   node flow.ts udp-send ADDRESS PORT EVERY_MS   sends numbers without end, whatever errors there are
//   node flow.ts udp-ask ADDRESS PORT EVERY_MS    asks for a stream until there is one, and then only listens
//   node flow.ts udp-serve PORT                   listens, and streams to whoever asked for it
//   node flow.ts tcp-echo ADDRESS PORT EVERY_MS   sends numbered lines, and sees them come back
//   node flow.ts tcp-ask ADDRESS PORT EVERY_MS    asks once for a stream of lines, and then only listens
//   node flow.ts tcp-serve PORT                   echoes lines, and streams to whoever asked for it
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';

const [role = '', ...words] = process.argv.slice(2);
const [address = '', portText = '', everyText = ''] = role.endsWith('-serve') ? ['', ...words] : words;
const port = Number(portText);

let seen = 0;
let lastAt = 0;
/** Numbers that were left out so far: packets of two processors may overtake each other. */
const missing = new Set<number>();
let expected: number | undefined;
let error: string | undefined;
let idleRounds = 0;

/** Milliseconds since 1970, with a fraction. */
const now = (): number => performance.timeOrigin + performance.now();

const see = (number: number): void => {
  seen++;
  idleRounds = 0;
  lastAt = now();
  if (missing.delete(number)) return;
  for (let absent = expected ?? number; absent < number; absent++) missing.add(absent);
  expected = number + 1;
};

const seeLines = (socket: Socket): void => {
  let rest = '';
  socket.on('data', (chunk) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) see(Number(line));
  });
  socket.on('error', (cause) => {
    error = cause.message;
  });
};

const count = (everyMs: number, send: (number: number) => void): NodeJS.Timeout => {
  let number = 0;
  return setInterval(() => send(number++), everyMs);
};

const ASK = /^stream (\d+)/;
const ASK_EVERY_MS = 100;
const REPORT_EVERY_MS = 10;

/** With room for seconds in which nobody reads, as far as the kernel allows: what is missing then was lost on the way. */
const createUdp = (): UdpSocket => createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });

const roles: Record<string, () => void> = {
  'udp-send': () => {
    const socket = createUdp();
    socket.on('message', (message) => see(Number(message)));
    count(Number(everyText), (number) => socket.send(String(number), port, address, () => {}));
  },
  'udp-ask': () => {
    const socket = createUdp();
    socket.on('message', (message) => see(Number(message)));
    // Until there is an answer: a datagram that comes too early for the server, or for policy, is lost.
    const ask = (): void => socket.send(`stream ${everyText}`, port, address, () => {});
    const asking = setInterval(ask, ASK_EVERY_MS);
    socket.once('message', () => clearInterval(asking));
    ask();
  },
  'udp-serve': () => {
    const socket = createUdp();
    const served = new Set<string>();
    socket.on('message', (message, peer) => {
      const ask = ASK.exec(message.toString());
      if (ask === null) return see(Number(message));
      const who = `${peer.address} ${peer.port}`;
      if (served.has(who)) return undefined;
      served.add(who);
      count(Number(ask[1]), (number) => socket.send(String(number), peer.port, peer.address, () => {}));
      return undefined;
    });
    socket.bind(port);
  },
  'tcp-echo': () => {
    const socket = connect({ host: address, port, noDelay: true });
    seeLines(socket);
    socket.once('connect', () => count(Number(everyText), (number) => socket.write(`${number}\n`)));
  },
  'tcp-ask': () => {
    const socket = connect({ host: address, port, noDelay: true });
    seeLines(socket);
    socket.once('connect', () => socket.write(`stream ${everyText}\n`));
  },
  'tcp-serve': () => {
    createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        const ask = ASK.exec(chunk.toString());
        if (ask === null) socket.write(chunk);
        else count(Number(ask[1]), (number) => socket.write(`${number}\n`));
      });
    }).listen(port);
  },
};

roles[role]?.();
setInterval(() => {
  idleRounds++;
  process.stdout.write(`${JSON.stringify({ seen, lastAt, missing: missing.size, error, idleRounds })}\n`);
}, REPORT_EVERY_MS);
