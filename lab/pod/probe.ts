// One real connection, or a fast series of them. Every probe has a socket, and so a flow, of its own: what is measured
// is the fate of new flows.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome, Target } from './protocol.ts';

export function probe(target: Target, timeoutMs: number): Promise<Outcome> {
  const start = performance.now();
  return new Promise((resolve) => {
    const timer = setTimeout(() => end({ kind: 'silent' }), timeoutMs);
    const socket = (target.protocol === 'TCP' ? openTcp : openUdp)(
      target,
      () => end({ kind: 'answered', ms: performance.now() - start }),
      (error) => end({ kind: 'failed', code: error.code ?? error.message }),
    );
    const end = (outcome: Outcome): void => {
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
  });
}

/** Without an answer for this long, flows are taken to be denied; far above any round trip here. */
const QUIET_MS = 150;

/**
 * Probes until the target is reachable (`allow`) or silent (`deny`), and returns since when it was, by
 * `process.hrtime`; `undefined` when it was not within `timeoutMs`. `armed` is called when the first probe has left.
 */
export async function watch(
  target: Target,
  until: 'allow' | 'deny',
  { everyMs, timeoutMs, armed }: { readonly everyMs: number; readonly timeoutMs: number; readonly armed: () => void },
): Promise<bigint | undefined> {
  const deadline = performance.now() + timeoutMs;
  let firstAnswered: bigint | undefined;
  let lastAnswered = process.hrtime.bigint();
  const starts: bigint[] = [];
  while (performance.now() < deadline) {
    const start = process.hrtime.bigint();
    starts.push(start);
    void probe(target, QUIET_MS).then(({ kind }) => {
      if (kind !== 'answered') return;
      firstAnswered ??= process.hrtime.bigint();
      if (start > lastAnswered) lastAnswered = start;
    });
    if (starts.length === 1) armed();
    await delay(everyMs);
    if (until === 'allow' && firstAnswered !== undefined) return firstAnswered;
    if (until === 'deny' && process.hrtime.bigint() - lastAnswered > BigInt(QUIET_MS) * 1_000_000n) {
      return starts.find((at) => at > lastAnswered) ?? lastAnswered;
    }
  }
  return undefined;
}

type Opened = { readonly close: () => void };
type Failed = (error: NodeJS.ErrnoException) => void;
const LINE = 'margay\n';

function openTcp({ ip, port, localAddress }: Target, answered: () => void, failed: Failed): Opened {
  const socket = connect({ host: ip, port, ...(localAddress === undefined ? {} : { localAddress }) });
  let received = '';
  socket.on('connect', () => socket.write(LINE));
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1');
    if (received === LINE) answered();
  });
  socket.on('error', failed);
  return { close: () => socket.resetAndDestroy() };
}

function openUdp({ ip, port, localAddress }: Target, answered: () => void, failed: Failed): Opened {
  const socket = createSocket(ip.includes(':') ? 'udp6' : 'udp4');
  let open = true;
  socket.on('error', failed);
  socket.on('message', (bytes) => {
    if (bytes.toString('latin1') === LINE) answered();
  });
  // Connected, so that a refusal (ICMP port unreachable) is reported to this socket.
  const dial = (): void => {
    if (!open) return;
    socket.connect(port, ip, () => {
      if (open) socket.send(LINE);
    });
  };
  if (localAddress === undefined) dial();
  else socket.bind({ address: localAddress }, dial);
  return {
    close: () => {
      open = false;
      socket.close();
    },
  };
}
