// Waiting until a lab that was started is of use, and saying what is missing when it is not.
import { existsSync } from 'node:fs';
import { waitFor } from '../lib/wait-for.ts';
import { type AgentStatus, agentStatus, GOBGPD_PROGRAM } from './agent.ts';
import { daemonState, lastFailure } from './daemon.ts';
import { nodeFiles, torFiles } from './paths.ts';
import type { LabSpec } from './spec.ts';
import { TORS } from './tor/tor.ts';

const START_MS = 30_000;

/**
 * Waits until gobgpd and the agent of every node answer and the ToR's programs run.
 * @throws Error naming the program that does not, with the line of its log that says why
 */
export async function waitForPrograms({ name: lab, nodes, tor }: LabSpec, signal: AbortSignal): Promise<void> {
  const ready = async (what: string, log: string, probe: () => boolean | Promise<boolean>): Promise<void> => {
    try {
      const isReady = (): boolean | Promise<boolean> => {
        signal.throwIfAborted();
        return probe();
      };
      await waitFor(what, isReady, { timeoutMs: START_MS, everyMs: 50 });
    } catch (cause) {
      signal.throwIfAborted();
      // The log itself is removed with the lab.
      const said = lastFailure(log) || 'nothing';
      throw new Error(`Cannot start ${what}: not ready within ${START_MS / 1000} s; it said: ${said}`, { cause });
    }
  };
  const outside = torFiles(lab);
  await Promise.all([
    ...nodes.flatMap(({ name }) => {
      const files = nodeFiles(lab, name);
      const isSpeaking = (): boolean =>
        existsSync(files.gobgpSocket) && daemonState(files.gobgpd, GOBGPD_PROGRAM).pid !== undefined;
      const isReady = async (): Promise<boolean> => (await agentStatus(lab, name))?.ready === true;
      return [
        ready(`gobgpd of ${name}`, files.gobgpd.log, isSpeaking),
        ready(`the agent of ${name}`, files.agent.log, isReady),
      ];
    }),
    ready('the process that plays the outside world', outside.outside.log, () => existsSync(outside.outsideSocket)),
  ]);
  for (const daemon of TORS[tor.kind].daemons) {
    const files = torFiles(lab).daemon(daemon);
    await ready(`${daemon} of the ToR`, files.log, () => daemonState(files, daemon).pid !== undefined);
  }
}

/**
 * Waits until every session is up and every node knows the blocks of the others.
 * @throws Error naming the node and its sessions when that takes longer than `timeoutMs`
 */
export async function waitForRoutes(spec: LabSpec, signal: AbortSignal, timeoutMs = 40_000): Promise<void> {
  const others = spec.nodes.length - 1;
  await Promise.all(
    spec.nodes.map(async ({ name }) => {
      let status: AgentStatus | undefined;
      const isComplete = async (): Promise<boolean> => {
        signal.throwIfAborted();
        status = await agentStatus(spec.name, name);
        const up = status?.bgp.peers.filter(({ state }) => state === 'established').length ?? 0;
        return up > others && (status?.routes.learned ?? 0) >= others;
      };
      try {
        await waitFor(`the BGP sessions of ${name}`, isComplete, { timeoutMs, everyMs: 50 });
      } catch (cause) {
        signal.throwIfAborted();
        throw new Error(`Cannot bring up BGP on ${name} within ${timeoutMs / 1000} s: ${describe(status)}`, { cause });
      }
    }),
  );
}

function describe(status: AgentStatus | undefined): string {
  if (status === undefined) return 'its agent does not answer';
  const sessions = status.bgp.peers.map(({ address, state }) => `${address} ${state}`).join(', ') || 'no sessions';
  return `${sessions}; ${status.routes.learned} routes learned, expected all established`;
}
