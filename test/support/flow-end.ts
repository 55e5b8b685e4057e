// Starts one end of a flow (flow.ts) in a namespace and reads what it reports.
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitFor } from '../../lib/wait-for.ts';
import type { TestNetns } from './netns.ts';

export type FlowReport = {
  /** When this was so, in milliseconds since 1970. */
  readonly at: number;
  /** Packets or lines that arrived. */
  readonly seen: number;
  /** When the last one did, in milliseconds since 1970; 0: never. */
  readonly lastAt: number;
  /** Numbers that were left out. */
  readonly missing: number;
  readonly error?: string;
};

export type FlowEnd = {
  readonly report: () => FlowReport;
  /** Waits for `more` further packets. */
  readonly flows: (more?: number) => Promise<void>;
  /** Waits until nothing has come for `quietMs`. */
  readonly stops: (quietMs?: number) => Promise<void>;
};

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
  await waitFor(`"${role}" to start`, () => report !== undefined, { timeoutMs: 20_000 });
  const now = (): FlowReport => report ?? { at: 0, seen: 0, lastAt: 0, missing: 0 };
  return {
    report: now,
    flows: async (more = 20) => {
      const { seen } = now();
      await waitFor(`"${role}" to see ${more} more`, () => now().seen >= seen + more, { timeoutMs: 20_000 });
    },
    stops: async (quietMs = 300) => {
      const quiet = (): boolean => now().at - now().lastAt > quietMs;
      await waitFor(`"${role}" to see nothing`, quiet, { timeoutMs: 20_000 });
    },
  };
}
