// What a running agent answers about a connection, against what becomes of real packets, with the counters of the rules.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { agentNode } from '../support/agent-node.ts';
import { margay } from '../support/margay-cli.ts';

const policy = (name: string, spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'shop', name },
  spec: { policyTypes: ['Ingress'], ...spec },
});

/** Written by somebody who knows more actions than we do. */
const sealing = {
  apiVersion: 'policy.networking.k8s.io/v1alpha2',
  kind: 'ClusterNetworkPolicy',
  metadata: { name: 'sealing' },
  spec: {
    tier: 'Admin',
    priority: 1,
    subject: { pods: { podSelector: { matchLabels: { app: 'sealed' } } } },
    ingress: [{ action: 'Accept', from: [{ namespaces: {} }] }],
  },
};

function becomeUnreadable(path: string, key: string): void {
  const sqlite = new DatabaseSync(path);
  sqlite.prepare(`UPDATE objects SET json = replace(json, '"Accept"', '"Reject"') WHERE key = ?`).run(key);
  sqlite.close();
}

type Answer = {
  readonly verdict: string;
  readonly egress?: { readonly node: string; readonly reason: string };
  readonly ingress?: {
    readonly by: string;
    readonly node: string;
    readonly problems?: readonly string[];
    readonly path: readonly { readonly counter?: string; readonly packets?: number }[];
  };
};

test('margay policy verdict --agent tells what decides, and how often it did', async (t) => {
  const node = await agentNode(t);
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.create(policy('deny', { podSelector: {} }));
  await node.create(
    policy('web', {
      podSelector: { matchLabels: { app: 'web' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }] }],
    }),
  );
  await node.create(sealing);
  becomeUnreadable(join(dirname(node.controlSocket), '..', 'datastore.db'), 'ClusterNetworkPolicy/sealing');
  await node.start();
  const web = await node.addPod('shop', 'web', { app: 'web' });
  const client = await node.addPod('shop', 'client', { app: 'client' });
  const ask = (from: string, to: string): Answer => {
    const args = ['verdict', '--agent', node.controlSocket, '--from', from, '--to', to, '--protocol', 'icmp', '--json'];
    const { stdout, stderr, status } = margay(['policy', ...args]);
    assert.deepEqual({ stderr, status }, { stderr: '', status: 0 });
    return JSON.parse(stdout) as Answer;
  };
  const packets = ({ ingress }: Answer): number | undefined => ingress?.path.at(-1)?.packets;

  const before = ask('shop/client', 'shop/web');
  assert.equal(before.verdict, 'allow');
  assert.deepEqual([before.egress?.reason, before.egress?.node], ['not-isolated', 'node1']);
  assert.equal(before.ingress?.by, 'NetworkPolicy shop/web ingress rule 0');
  assert.equal(packets(before), 0);
  await client.netns.exec('ping', '-c1', '-W5', web.ip);
  assert.equal(packets(ask('shop/client', 'shop/web')), 1);

  const denied = ask('shop/web', 'shop/client');
  assert.equal(denied.verdict, 'deny');
  assert.equal(denied.ingress?.by, 'no rule of NetworkPolicy shop/deny allows it');
  const dropped = packets(denied);
  await assert.rejects(web.netns.exec('ping', '-c1', '-W1', client.ip));
  assert.equal(packets(ask('shop/web', 'shop/client')), (dropped ?? 0) + 1);

  assert.equal(ask('198.51.100.11', 'shop/web').verdict, 'allow', 'from the own node');
  assert.equal(ask('203.0.113.9', 'shop/web').verdict, 'deny', 'from outside');

  const sealed = await node.addPod('shop', 'sealed', { app: 'sealed' });
  await assert.rejects(client.netns.exec('ping', '-c1', '-W1', sealed.ip));
  const { ingress } = ask('shop/client', 'shop/sealed');
  const why = 'action: "Reject", expected Accept, Deny or Pass';
  const problem = `Cannot use ingress rule 0 of "ClusterNetworkPolicy/sealing": ${why}`;
  assert.deepEqual([ingress?.by, ingress?.problems], ['ClusterNetworkPolicy sealing ingress rule 0', [problem]]);
  const { problems } = (await node.status()) as { problems: readonly string[] };
  assert.deepEqual(problems, [`Cannot accept ClusterNetworkPolicy "sealing": spec.ingress[0].${why}`, problem]);

  const args = ['verdict', '--agent', node.controlSocket, '--from', 'shop/nobody', '--to', 'shop/web', '--port', '80'];
  const { stderr, status } = margay(['policy', ...args]);
  assert.equal(status, 1);
  assert.match(stderr, /^margay: Cannot judge pod "shop\/nobody": there is no such pod/);
});
