// One end of a flow between namespaces, for tests: a program of its own that prints, every few milliseconds, how many
// packets it has seen and when the last one came.
//
//   node flow.ts udp-send ADDRESS PORT EVERY_MS   sends numbers without end, whatever errors there are
//   node flow.ts udp-ask ADDRESS PORT EVERY_MS    asks once for a stream, and then only listens
//   node flow.ts udp-serve PORT                   listens, and streams to whoever asked for it
//   node flow.ts tcp-echo ADDRESS PORT EVERY_MS   sends numbered lines, and sees them come back
//   node flow.ts tcp-ask ADDRESS PORT EVERY_MS    asks once for a stream of lines, and then only listens
//   node flow.ts tcp-serve PORT                   echoes lines, and streams to whoever asked for it
import { createSocket } from 'node:dgram';
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

/** Milliseconds since 1970, with a fraction. */
const now = (): number => performance.timeOrigin + performance.now();

const see = (number: number): void => {
  seen++;
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

/** What the kernel allows by default; asked for, it counts double. A receiver that has to wait for a processor loses nothing then. */
const RECEIVE_BYTES = 212_992;

const ASK = /^stream (\d+)/;

const roles: Record<string, () => void> = {
  'udp-send': () => {
    const socket = createSocket('udp4');
    socket.on('message', (message) => see(Number(message)));
    count(Number(everyText), (number) => socket.send(String(number), port, address, () => {}));
  },
  'udp-ask': () => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BYTES });
    socket.on('message', (message) => see(Number(message)));
    socket.send(`stream ${everyText}`, port, address);
  },
  'udp-serve': () => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BYTES });
    socket.on('message', (message, peer) => {
      const ask = ASK.exec(message.toString());
      if (ask === null) see(Number(message));
      else count(Number(ask[1]), (number) => socket.send(String(number), peer.port, peer.address, () => {}));
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
const report = (): void => {
  process.stdout.write(`${JSON.stringify({ at: now(), seen, lastAt, missing: missing.size, error })}\n`);
};
// After what has arrived was read, which may be much where the program had to wait for a processor.
setInterval(() => setImmediate(report), 10);
