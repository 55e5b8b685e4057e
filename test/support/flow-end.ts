// Starts one end of a flow (flow.ts) in a namespace and reads what it reports.
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitFor } from '../../lib/wait-for.ts';
import type { TestNetns } from './netns.ts';

export type FlowReport = {
  /** Packets or lines that arrived. */
  readonly seen: number;
  /** When the last one did, in milliseconds since 1970; 0: never. */
  readonly lastAt: number;
  /** Numbers that were left out. */
  readonly missing: number;
  readonly error?: string;
  /** How often it has looked since the last one came, without finding another; at most once in 10 ms. */
  readonly idleRounds: number;
};

export type FlowEnd = {
  readonly report: () => FlowReport;
  /** Waits for `more` further packets. */
  readonly flows: (more?: number) => Promise<void>;
  /** Waits until nothing has come for `quietMs`. */
  readonly stops: (quietMs?: number) => Promise<void>;
};

/** A connection that was cut off tries again ever more seldom (RFC 6298 5.5). */
const DEADLINE = { timeoutMs: 60_000 };

/** Runs until the namespace goes. Returns when the program is at work. */
export async function startFlowEnd(
  netns: Pick<TestNetns, 'spawn'>,
  role: string,
  ...words: readonly (string | number)[]
): Promise<FlowEnd> {
  const program = join(import.meta.dirname, 'flow.ts');
  const child = netns.spawn(process.execPath, [program, role, ...words.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let report: FlowReport | undefined;
  if (child.stdout === null) throw new Error(`Cannot start "${role}": no output, expected a pipe`);
  createInterface({ input: child.stdout }).on('line', (line) => {
    report = JSON.parse(line) as FlowReport;
  });
  await waitFor(`"${role}" to start`, () => report !== undefined, DEADLINE);
  const now = (): FlowReport => report ?? { seen: 0, lastAt: 0, missing: 0, idleRounds: 0 };
  return {
    report: now,
    flows: async (more = 20) => {
      const { seen } = now();
      await waitFor(`"${role}" to see ${more} more`, () => now().seen >= seen + more, DEADLINE);
    },
    stops: async (quietMs = 300) => {
      // By its own rounds, not by the clock: who does not run sees nothing either.
      const quiet = (): boolean => now().idleRounds * 10 > quietMs;
      await waitFor(`"${role}" to see nothing`, quiet, DEADLINE);
    },
  };
}
