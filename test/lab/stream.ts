// One long TCP connection inside a pod: a numbered line every 5 ms, each echoed. SIGTERM ends it with a report as JSON.
//   stream.ts IP PORT
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** What a stream saw. `longestGapMs`: the longest time between two echoes. */
export type StreamReport = {
  readonly sent: number;
  readonly echoed: number;
  readonly longestGapMs: number;
  readonly error: string | null;
};

if (import.meta.main) {
  const [ip = '', port = ''] = process.argv.slice(2);
  const socket = connect({ host: ip, port: Number(port), noDelay: true });
  let sent = 0;
  let echoed = 0;
  let last = performance.now();
  let longestGapMs = 0;
  let error: string | null = null;
  const timer = setInterval(() => socket.write(`${sent++}\n`), 5);
  createInterface(socket).on('line', (line) => {
    if (Number(line) !== echoed) error ??= `line ${line} came as number ${echoed}`;
    echoed++;
    longestGapMs = Math.max(longestGapMs, performance.now() - last);
    last = performance.now();
    if (echoed === 1) console.log('streaming');
  });
  socket.on('error', ({ message }) => {
    error ??= message;
  });
  socket.on('close', () => {
    error ??= 'closed by the other side';
  });
  process.on('SIGTERM', () => {
    clearInterval(timer);
    const report = (): void => {
      const found: StreamReport = { sent, echoed, longestGapMs, error };
      console.log(JSON.stringify(found));
      process.exit();
    };
    // What is on its way is waited for, but not for ever.
    setInterval(() => (echoed === sent || error !== null) && report(), 5);
    setTimeout(report, 3000);
  });
}
