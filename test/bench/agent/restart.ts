// The agent is killed and started again while a pod sends a packet per millisecond to another one.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { startFlowEnd } from '../../support/flow-end.ts';
import { type Goal, resultOf } from '../results.ts';
import type { Result, Scope } from '../types.ts';
import { ALLOWED } from './objects.ts';
import type { AgentWorld } from './world.ts';

const NO_LOSS: Goal = { text: '0', met: ({ ours }) => ours.p99 === 0 };
const SOON: Goal = { text: '<= 2 s', met: ({ ours }) => ours.p50 <= 2 };

export async function restartLines(
  scope: Scope,
  { agent, pods }: AgentWorld,
  rounds: number,
): Promise<readonly Result[]> {
  const end = (pod: number, role: string, ...words: readonly (string | number)[]) => {
    const spawnIn = (file: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess => {
      const child = spawn('nsenter', [`--net=${pods.podPath(pod)}`, file, ...args], options);
      scope.after(() => child.kill('SIGKILL'));
      return child;
    };
    return startFlowEnd({ spawn: spawnIn }, role, ...words);
  };
  const server = await end(ALLOWED.to, 'udp-serve', ALLOWED.port);
  await end(ALLOWED.from, 'udp-send', pods.ipOf(ALLOWED.to), ALLOWED.port, 1);
  await server.flows();
  const lost: number[] = [];
  const startSeconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { missing } = server.report();
    await agent.kill();
    await server.flows();
    const began = performance.now();
    await agent.start();
    startSeconds.push((performance.now() - began) / 1000);
    await server.flows();
    lost.push(server.report().missing - missing);
  }
  return [
    resultOf({ name: 'packets lost while the agent is killed and started', unit: 'count', ours: lost, goal: NO_LOSS }),
    resultOf({ name: 'agent started again, until it serves CNI', unit: 's', ours: startSeconds, goal: SOON }),
  ];
}
