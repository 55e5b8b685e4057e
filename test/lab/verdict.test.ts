// A verdict from the agents of a lab: each says what it decides about, and together they say the whole.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeFiles } from '../../lab/paths.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { labName, margay, margayOk } from './lab-cli.ts';

const POLICY = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}], ports: [{port: 80}]}]
`;

type Direction = { readonly verdict: string; readonly by: string; readonly node: string };
type Answer = { readonly verdict: string; readonly egress?: Direction; readonly ingress?: Direction };

test('margay policy verdict --lab asks the nodes of both ends', async (t) => {
  const lab = await labName(t);
  await margayOk('lab', 'up', '--name', lab, '--nodes', '2');
  const run = (name: string, node: string): Promise<string> =>
    margayOk('lab', 'pod', 'run', name, '--name', lab, '--node', node, '--port', '80/tcp', '--label', `app=${name}`);
  await run('client', 'node1');
  await run('web', 'node2');
  const directory = mkdtempSync(join(tmpdir(), 'margay-verdict-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'policy.yaml'), POLICY);
  await margayOk('apply', '--lab', lab, '-f', directory);

  const ask = async (from: string, to: string, where = ['--lab', lab]): Promise<Answer> =>
    JSON.parse(
      await margayOk('policy', 'verdict', ...where, '--from', from, '--to', to, '--port', '80', '--json'),
    ) as Answer;
  await waitFor('the policy to be known', () => isKnown(ask), {
    timeoutMs: 30_000,
  });
  const { verdict, egress, ingress } = await ask('client', 'default/web');
  assert.equal(verdict, 'allow');
  assert.deepEqual([egress?.node, egress?.verdict], ['node1', 'allow']);
  assert.deepEqual([ingress?.node, ingress?.by], ['node2', 'NetworkPolicy default/web ingress rule 0']);
  assert.equal((await ask('203.0.113.9', 'web')).verdict, 'deny');

  const half = await ask('client', 'web', ['--agent', nodeFiles(lab, 'node1').controlSocket]);
  assert.deepEqual([half.verdict, half.egress?.verdict, half.ingress], ['unknown', 'allow', undefined]);

  const none = await margay('policy', 'verdict', '--lab', lab, '--from', 'nobody', '--to', 'web', '--port', '80');
  assert.equal(none.exitCode, 1);
  assert.match(none.stderr, /^margay: Cannot judge pod "default\/nobody": there is no such pod/);
});

const isKnown = async (ask: (from: string, to: string) => Promise<Answer>): Promise<boolean> =>
  (await ask('203.0.113.9', 'web')).verdict === 'deny';
