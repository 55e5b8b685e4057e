// `margay policy …` as a user runs it: every option, what is printed where, and what is said about bad input.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostIfName } from '../lib/linux/if-name.ts';
import { margay } from '../test/support/margay-cli.ts';

const SHOP = `
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: node1, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
status: {podIPs: [{ip: 10.244.1.2}, {ip: "fd00:10:244:1::2"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {nodeName: node2}
status: {podIPs: [{ip: 10.244.2.2}, {ip: "fd00:10:244:2::2"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: http}]}]
`;
const BAD = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: bad, namespace: shop}
spec: {podSelector: {}, ingress: [{ports: [{port: 99999}]}]}
`;
const NO_ENDPOINTS = `---
apiVersion: v1
kind: Pod
metadata: {name: host, namespace: shop}
spec: {nodeName: node1, hostNetwork: true}
status: {podIPs: [{ip: 198.51.100.11}]}
---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: shop}
spec: {nodeName: node1}
status: {phase: Succeeded, podIPs: [{ip: 10.244.1.3}]}
---
apiVersion: v1
kind: Pod
metadata: {name: new, namespace: shop}
spec: {nodeName: node1}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
`;

const policy = (args: string, input = SHOP) => margay(['policy', ...args.split(' ')], input);
const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

test('compile prints a table for nft, and with --node that of one node', () => {
  const all = policy('compile -f -');
  assert.equal(all.status, 0);
  assert.match(all.stdout, /^add table inet margay\ndelete table inet margay\ntable inet margay \{\n/);
  const { interfaces, ruleset } = json(policy('compile -f - --json').stdout);
  assert.equal(ruleset, all.stdout);
  assert.deepEqual(interfaces, { 'shop/db': hostIfName('shop', 'db'), 'shop/web': hostIfName('shop', 'web') });
  const one = policy('compile -f - --node node2 --json');
  assert.deepEqual(json(one.stdout)['interfaces'], { 'shop/db': hostIfName('shop', 'db') });
  const other = policy('compile -f - --node node9 --json');
  assert.deepEqual([json(other.stdout)['interfaces'], other.status], [{}, 0]);
  assert.equal(other.stderr, 'margay: warning: no Node and no Pod names node "node9"\n');
});

test('a refused object takes nothing else with it, and is told', () => {
  const bad = `---\napiVersion: v1\nkind: Pod\nmetadata: {name: bad, namespace: shop}\nspec: {hostNetwork: maybe}\n`;
  const clean = policy('compile -f -');
  const refused = policy('compile -f -', `${bad}${SHOP.replace('\n', '---\n')}`);
  assert.equal(refused.stdout, clean.stdout);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^margay: Cannot accept Pod "shop\/bad": spec\.hostNetwork: /);
  assert.equal(policy('compile -f - --ignore-errors', `${SHOP}${bad}`).status, 0);
  const { problems } = json(policy('compile -f - --json', `${SHOP}${bad}`).stdout);
  assert.equal((problems as string[]).length, 1);
});

test('a policy that cannot be read is closed as in an agent, and told; --strict makes it an error', () => {
  const good = policy('matrix -f - --port 8080/tcp --json');
  const closed = policy('matrix -f - --port 8080/tcp --json', `${SHOP}${BAD}`);
  assert.deepEqual([json(good.stdout)['tables'], good.status], [{ '8080/tcp': ['#.', '.#'] }, 0]);
  assert.deepEqual([json(closed.stdout)['tables'], closed.status], [{ '8080/tcp': ['#.', 'X#'] }, 0]);
  assert.match(
    closed.stderr,
    /^margay: warning: Cannot accept NetworkPolicy "shop\/bad": spec\.ingress\[0\]\.ports\[0\]\.port: 99999 .*; what cannot be read is closed\n$/,
  );
  assert.equal(policy('compile -f - --strict').status, 0);
  const strict = policy('compile -f - --strict --json', `${SHOP}${BAD}`);
  assert.equal(strict.status, 1);
  assert.equal((json(strict.stdout)['problems'] as string[]).length, 1);
});

test('verdict says what of the deciding policy cannot be read', () => {
  const newer = `---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: newer}
spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Reject, from: [{namespaces: {}}]}]}
`;
  const { stdout, status } = policy('verdict -f - --from shop/db --to shop/web --port 8080', `${SHOP}${newer}`);
  const why = 'action: "Reject", expected Accept, Deny or Pass';
  assert.match(stdout, /\ningress: deny, ClusterNetworkPolicy newer ingress rule 0\n/);
  assert.ok(stdout.includes(`\n  Cannot use ingress rule 0 of "ClusterNetworkPolicy/newer": ${why}\n`), stdout);
  assert.equal(status, 0);
});

test('typing errors in policies and policies of older kinds are told', () => {
  const old = `---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: old}
spec: {priority: 1}
`;
  const odd = SHOP.replace('ingress: [', 'ingres: [');
  const { stderr, status } = policy('compile -f - --strict', `${odd}${old}`);
  assert.deepEqual(stderr.trimEnd().split('\n'), [
    'margay: warning: Kind "AdminNetworkPolicy" is none that policy is read from, and is ignored (1 ×), expected ClusterNetworkPolicy of tier Admin, which replaces it since v1alpha2',
    'margay: warning: NetworkPolicy "shop/web" has an unknown field "spec.ingres", which has no effect',
  ]);
  assert.equal(status, 1);
});

test('a peer of a newer API matches nothing, and the policy isolates all the same', () => {
  const newer = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: newer, namespace: shop }
spec: { podSelector: {}, ingress: [{ from: [{ galaxies: {} }] }] }
`;
  const { stdout, stderr, status } = policy('matrix -f - --port 80/tcp --json', `${SHOP}${newer}`);
  assert.deepEqual(json(stdout)['tables'], { '80/tcp': ['#X', 'X#'] });
  assert.match(stderr, /^margay: warning: Cannot use ingress rule 0 of "NetworkPolicy\/shop\/newer": the peer has no/m);
  assert.equal(status, 0);
});

test('pods without addresses of their own are no endpoints; unknown kinds are ignored with a warning', () => {
  const { stdout, stderr, status } = policy('compile -f - --json', `${SHOP}${NO_ENDPOINTS}`);
  assert.deepEqual(Object.keys(json(stdout)['interfaces'] as object), ['shop/db', 'shop/web']);
  assert.equal(stderr, 'margay: warning: Kind "Deployment" is none that policy is read from, and is ignored (1 ×)\n');
  assert.equal(status, 0);
  const { order } = json(policy('matrix -f - --port 80/tcp --json', `${SHOP}${NO_ENDPOINTS}`).stdout);
  assert.deepEqual(order, ['shop/db', 'shop/host', 'shop/web']);
});

test('files, directories and lists are read alike', (t) => {
  const directory = temporary(t);
  const items = SHOP.split('---\n');
  for (const [index, item] of items.entries()) writeFileSync(join(directory, `${index}.yaml`), item);
  assert.equal(policy(`compile -f ${directory}`).stdout, policy('compile -f -').stdout);
  const files = items.map((_, index) => `-f ${join(directory, `${index}.yaml`)}`).join(' ');
  assert.equal(policy(`compile ${files}`).stdout, policy('compile -f -').stdout);
  const missing = policy(`compile -f ${directory}/none.yaml`);
  assert.deepEqual([missing.status, /no such file/.test(missing.stderr)], [1, true]);
});

test('verdict tells who decides, and the way there', () => {
  const allowed = json(policy('verdict -f - --from shop/db --to shop/web --port http --json').stdout);
  assert.deepEqual([allowed['verdict'], allowed['port'], allowed['protocol']], ['allow', 8080, 'tcp']);
  const { path, ...ingress } = allowed['ingress'] as Record<string, unknown>;
  assert.deepEqual(ingress, {
    verdict: 'allow',
    reason: 'rule',
    by: 'NetworkPolicy shop/web ingress rule 0',
    policy: 'NetworkPolicy shop/web',
    rule: 0,
    says: 'allow from pods app=db of namespace shop on tcp port "http"',
    oracle: 'allow',
  });
  assert.ok((path as { chain: string }[]).some(({ chain }) => chain === 'fwd_ingress'));
  const text = policy('verdict -f - --from 203.0.113.5 --to shop/web --port 8080 --protocol tcp');
  assert.match(text.stdout, /^deny: 203\.0\.113\.5 to shop\/web \(10\.244\.1\.2\), tcp 8080\n/);
  assert.match(text.stdout, /\ningress: deny, no rule of NetworkPolicy shop\/web allows it\n/);
  assert.equal(text.status, 0);
});

test('verdict knows ICMP, families, addresses of pods, nodes and tunnels', () => {
  const rows = [
    ['--from shop/db --to shop/web --protocol icmp', 'deny', 'not-isolated', 'isolated'],
    ['--from shop/web --to shop/db --protocol icmp --family 6', 'allow', 'not-isolated', 'not-isolated'],
    ['--from fd00:10:244:2::2 --to shop/web --port 8080', 'allow', 'not-isolated', 'rule'],
    ['--from shop/db --to 203.0.113.1 --port 443', 'allow', 'not-isolated', 'not-a-pod'],
    ['--from shop/db --to 203.0.113.1 --port 4789/udp', 'deny', 'tunnel', 'not-a-pod'],
    ['--from shop/db --to shop/web --port https', 'deny', 'no-such-port', 'no-such-port'],
    ['--from shop/host --to shop/web --port 1', 'allow', 'not-a-pod', 'own-node'],
    ['--from shop/web --to shop/host --port 1', 'allow', 'not-isolated', 'not-a-pod'],
    ['--from shop/web --to shop/web --port 1', 'allow', 'loopback', 'loopback'],
    ['--from shop/done --to shop/web --port 1', 'deny', 'no-address', 'no-address'],
  ] as const;
  for (const [args, verdict, egress, ingress] of rows) {
    const { stdout, stderr, status } = policy(`verdict -f - --ignore-errors --json ${args}`, `${SHOP}${NO_ENDPOINTS}`);
    assert.match(stderr, /^margay: warning: [^\n]*\n$/, args);
    const got = json(stdout) as { verdict: string; egress: { reason: string }; ingress: { reason: string } };
    assert.deepEqual([status, got.verdict, got.egress.reason, got.ingress.reason], [0, verdict, egress, ingress], args);
  }
});

test('verdict does not read like one of a policy where a Pod has no status', () => {
  const { stdout } = policy('verdict -f - --from shop/web --to shop/db --port 80', SHOP.replace(/^status:.*$/gm, ''));
  assert.match(
    stdout,
    /\negress: deny, no policy is asked: an end has no address .*; that of a Pod is its status\.podIPs\n/,
  );
});

test('matrix says what is missing where no pod has an address', () => {
  const { stdout } = policy('matrix -f - --port 80/tcp', SHOP.replace(/^status:.*$/gm, ''));
  assert.match(stdout, /^No pod has an address, expected Pods with status\.podIP/);
});

test('matrix prints a table for each port, called as the port was asked for', () => {
  const { stdout, status } = policy('matrix -f - --port http --port http/udp --port 8080/tcp --port icmp --json');
  assert.equal(status, 0);
  assert.deepEqual(json(stdout), {
    order: ['shop/db', 'shop/web'],
    tables: { http: ['#.', 'P#'], 'http/udp': ['#P', 'P#'], '8080/tcp': ['#.', '.#'], icmp: ['#X', '.#'] },
  });
  assert.match(
    policy('matrix -f - --port 81/tcp').stdout,
    /^81\/tcp: 1 of 2 allowed\n +1 2\n1 shop\/db +# X\n2 shop\/web \. #\n/,
  );
});

test('each bad argument has its sentence', () => {
  const rows = [
    ['verdict -f - --from shop/nobody --to shop/web --port 80', 'Cannot judge pod "shop/nobody": there is no such pod'],
    ['verdict -f - --from 10.0.0.256 --to shop/web --port 80', 'Cannot judge a connection: "from" is "10.0.0.256"'],
    ['verdict -f - --from a/b/c --to shop/web --port 80', 'Cannot judge a connection: "from" is "a/b/c"'],
    [
      'verdict -f - --from 10.244.2.2 --to fd00:10:244:1::2 --port 80',
      'Cannot judge a connection: "10.244.2.2" has IPv4, "fd00:10:244:1::2" has IPv6, expected addresses of a common family',
    ],
    [
      'verdict -f - --from 10.244.2.2 --to shop/web --port 80 --family 6',
      'Cannot judge a connection: "10.244.2.2" has IPv4, "shop/web" has IPv4 and IPv6, expected IPv6 addresses on both sides',
    ],
    ['verdict -f - --from shop/db --to shop/web', 'Cannot judge a connection: "port" is missing'],
    ['verdict -f - --from shop/db --to shop/web --port 0', 'Cannot parse port "0": 0 is out of range'],
    ['verdict -f - --from shop/db --to shop/web --port 80 --protocol gre', 'Cannot use protocol "gre": not known'],
    ['verdict -f - --from shop/db --to shop/web --port 80 --protocol icmp', 'Cannot judge port "80": protocol is icmp'],
    ['verdict --from shop/db --to shop/web --port 80', 'Cannot judge a connection: no source of objects or several'],
    ['verdict --agent /nonexistent.sock --from a/b --to a/c --port 80', 'Cannot ask agent at "/nonexistent.sock": '],
    ['matrix -f - --port 80-90/tcp', 'Cannot parse port "80-90/tcp": malformed, expected a number'],
    ['matrix -f - --port 80/gre', 'Cannot parse port "80/gre": malformed'],
    ['matrix -f -', "required option '--port <port>' not specified"],
    ['compile', "required option '-f, --filename <file>' not specified"],
  ] as const;
  for (const [args, sentence] of rows) {
    const { stdout, stderr, status } = policy(args);
    assert.deepEqual([stdout, status], ['', 1], args);
    assert.ok(stderr.startsWith(`margay: ${sentence}`), `${args}: ${stderr}`);
  }
});

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'margay-policy-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
