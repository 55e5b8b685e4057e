// A TCP stream between pods, for tests: `node stream.ts ADDRESS PORT SECONDS` sends a numbered line every 5 ms to an echo
// server and prints, at the end, how many came back and the longest pause between two answers.
import { connect } from 'node:net';

const [address = '', port = '', seconds = ''] = process.argv.slice(2);
const socket = connect({ host: address, port: Number(port), noDelay: true });
let sent = 0;
let echoed = '';
let last = performance.now();
let longestPauseMs = 0;
let error: string | undefined;

socket.on('data', (chunk) => {
  echoed += chunk.toString();
  longestPauseMs = Math.max(longestPauseMs, performance.now() - last);
  last = performance.now();
});
socket.on('error', (cause) => {
  error = cause.message;
});
socket.once('connect', () => {
  last = performance.now();
  process.stdout.write('connected\n');
  const ticker = setInterval(() => socket.write(`${sent++}\n`), 5);
  setTimeout(() => {
    clearInterval(ticker);
    setTimeout(() => {
      const lines = echoed.split('\n').slice(0, -1);
      const inOrder = lines.every((line, index) => line === String(index));
      process.stdout.write(`${JSON.stringify({ sent, echoed: lines.length, inOrder, longestPauseMs, error })}\n`);
      process.exit(0);
    }, 500);
  }, Number(seconds) * 1000);
});
