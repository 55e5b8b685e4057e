// The process of a pod: echo servers, and a control socket in the lab's directory over which the lab makes it connect to
// others.
//   main.ts SOCKET [PORT/PROTOCOL…]
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { serveEcho } from './echo.ts';
import { probe, watch } from './probe.ts';
import { COMMON_PORTS, type Numbered, type Question, type Reply } from './protocol.ts';

const [socketPath = '', ...declared] = process.argv.slice(2);
const wanted = new Set([...COMMON_PORTS.map(({ port, protocol }) => `${port}/${protocol}`), ...declared]);
await Promise.all(
  [...wanted].map((text) => {
    const [port, protocol] = text.split('/');
    return serveEcho({ port: Number(port), protocol: protocol === 'UDP' ? 'UDP' : 'TCP' });
  }),
);
// Last, because its presence says that the pod is ready.
rmSync(socketPath, { force: true });
process.umask(0o077);
createServer(serve).listen(socketPath);

function serve(socket: Socket): void {
  // Whoever asked may go away before the answer.
  socket.on('error', () => socket.destroy());
  createInterface(socket).on('line', (line) => {
    const { id, body } = JSON.parse(line) as Numbered<Question>;
    const send = (reply: Reply): void => {
      if (!socket.destroyed) socket.write(`${JSON.stringify({ id, body: reply })}\n`);
    };
    void answer(body, send);
  });
}

async function answer(question: Question, send: (reply: Reply) => void): Promise<void> {
  switch (question.kind) {
    case 'probe':
      return send({ kind: 'probe', outcome: await probe(question.target, question.timeoutMs) });
    case 'watch': {
      const { everyMs, timeoutMs } = question;
      const armed = (): void => send({ kind: 'armed' });
      const at = await watch(question.target, question.until, { everyMs, timeoutMs, armed });
      return send({ kind: 'flipped', ...(at === undefined ? {} : { atNs: String(at) }) });
    }
    default:
      return question satisfies never;
  }
}
