// The pod's process in a namespace of its own: it answers, refuses to call silence an answer, and sees a state flip.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';
import { connectPod, type PodClient } from './client.ts';

test('probe() tells answered, silent and refused apart', async (t) => {
  const { client, netns } = await startPod(t, ['5353/UDP', '9090/TCP']);
  await netns.exec('nft', 'add table ip t; add chain ip t in { type filter hook input priority 0; }');
  await netns.exec('nft', 'add rule ip t in meta l4proto { tcp, udp } th dport { 81, 54 } drop');
  const rows = [
    { name: 'a common TCP port', protocol: 'TCP', port: 80, expected: 'answered' },
    { name: 'a common UDP port', protocol: 'UDP', port: 53, expected: 'answered' },
    { name: 'a declared TCP port', protocol: 'TCP', port: 9090, expected: 'answered' },
    { name: 'a declared UDP port', protocol: 'UDP', port: 5353, expected: 'answered' },
    { name: 'a dropped TCP port', protocol: 'TCP', port: 81, expected: 'silent' },
    { name: 'a dropped UDP port', protocol: 'UDP', port: 54, expected: 'silent' },
    { name: 'a TCP port without server', protocol: 'TCP', port: 82, expected: 'ECONNREFUSED' },
    { name: 'a UDP port without server', protocol: 'UDP', port: 55, expected: 'ECONNREFUSED' },
  ] as const;
  await Promise.all(
    rows.map(async ({ name, protocol, port, expected }) => {
      // Only where silence is expected it may be taken for the answer: the machine may be busy.
      const timeoutMs = expected === 'silent' ? 400 : 20_000;
      const outcome = await client.probe({ protocol, ip: '127.0.0.1', port }, timeoutMs);
      assert.equal(outcome.kind === 'failed' ? outcome.code : outcome.kind, expected, name);
    }),
  );
});

for (const protocol of ['TCP', 'UDP'] as const) {
  test(`watch() sees ${protocol} being denied, and allowed again`, async (t) => {
    const { client, netns } = await startPod(t, []);
    await netns.exec('nft', 'add table ip t; add chain ip t in { type filter hook input priority 0; }');
    const target = { protocol, ip: '127.0.0.1', port: protocol === 'TCP' ? 80 : 53 };
    for (const until of ['deny', 'allow'] as const) {
      const { flipped } = await client.watch(target, until, { everyMs: 2, timeoutMs: 20_000 });
      const before = process.hrtime.bigint();
      await netns.exec(
        'nft',
        until === 'deny' ? `add rule ip t in th dport ${target.port} drop` : 'flush chain ip t in',
      );
      const at = (await flipped) ?? 0n;
      const told = process.hrtime.bigint();
      // A probe that was under way at the change counts from its own beginning.
      const soonest = before - 1_000_000_000n;
      assert.ok(at >= soonest && at <= told, `${until} at ${at}, changed from ${before} on, told at ${told}`);
    }
  });
}

async function startPod(t: TestContext, ports: readonly string[]): Promise<{ client: PodClient; netns: TestNetns }> {
  const directory = mkdtempSync(join(tmpdir(), 'margay-pod-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const netns = await testNetns(t, 'pod');
  const socket = join(directory, 'pod.sock');
  netns.spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), socket, ...ports], { stdio: 'inherit' });
  const client = await waitFor('the pod', () => connectPod(socket).catch(() => undefined), { timeoutMs: 30_000 });
  t.after(() => client.close());
  return { client, netns };
}
