// What tests of cni/ expect of the answers of the executable, and of what is left behind.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type CniNode, type CniOutcome, cniNode } from './cni-node.ts';
import { type TestNetns, testNetns } from './netns.ts';

type Result = {
  readonly interfaces: readonly { readonly name: string; readonly mac: string }[];
  readonly ips: readonly { readonly address: string }[];
};

export function succeeded(answer: CniOutcome): Result {
  assert.equal(answer.exitCode, 0, answer.stdout);
  return JSON.parse(answer.stdout);
}

export function failed(answer: CniOutcome): { readonly code: number; readonly msg: string; readonly details: string } {
  assert.equal(answer.exitCode, 1, answer.stdout);
  return JSON.parse(answer.stdout);
}

export const outcome = ({ exitCode, stdout }: CniOutcome) => ({ exitCode, stdout });

export async function nodeAndPod(t: TestContext): Promise<{ readonly node: CniNode; readonly pod: TestNetns }> {
  const node = await cniNode(t);
  await node.startAgent();
  return { node, pod: await testNetns(t, 'pod') };
}

/** Links go after the answer, so they are waited for; nothing but `lo` stays on either side. */
export async function nothingLeft(node: CniNode, pod: TestNetns): Promise<void> {
  for (const netns of [node.netns, pod]) {
    await waitFor(`${netns.name} to have no link but lo`, async () => {
      const links: readonly { readonly ifname: string }[] = JSON.parse(await netns.exec('ip', '-j', 'link'));
      return links.every(({ ifname }) => ifname === 'lo');
    });
  }
}
