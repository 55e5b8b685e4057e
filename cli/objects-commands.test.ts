// apply, get and delete as a user runs them: the real program on a real datastore file.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openEmbeddedStore } from '../datastore/embedded/open.ts';
import { KINDS } from '../datastore/resources/index.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

type Outcome = { readonly out: readonly string[]; readonly err: readonly string[]; readonly status: number | null };

type Setting = {
  readonly directory: string;
  readonly path: string;
  readonly margay: (args: string, input?: string) => Outcome;
};

function setUp(t: TestContext): Setting {
  const directory = mkdtempSync(join(tmpdir(), 'margay-cli-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'datastore.db');
  openEmbeddedStore({ path }).close();
  const env = { ...process.env, MARGAY_DATASTORE: path };
  const margay = (args: string, input = ''): Outcome => {
    const options = { env, input, cwd: directory, encoding: 'utf8', timeout: 60_000 } as const;
    const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, ...args.split(' ')], options);
    return { out: linesOf(stdout), err: linesOf(stderr), status };
  };
  return { directory, path, margay };
}

const linesOf = (text: string): readonly string[] =>
  text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');

const POD = `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web, old: label}}
spec: {containers: [{name: c, image: x}]}
`;
const POLICY = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-deny}
spec: {podSelector: {}, policyTypes: [Ingress]}
`;

const SHOP = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n';

test('apply creates, configures and leaves unchanged, and keeps what others wrote', async (t) => {
  const { path, margay } = setUp(t);
  assert.deepEqual(margay('apply -n shop -f -', `${POD}---\n${POLICY}---\n${SHOP}`), {
    out: ['namespace/shop created', 'pod/web created', 'networkpolicy.networking.k8s.io/default-deny created'],
    err: [],
    status: 0,
  });
  const store = openEmbeddedStore({ path });
  const pod = await store.get('Pod', 'shop', 'web');
  assert.ok(pod !== undefined);
  await store.update({ ...pod, spec: { ...pod.spec, nodeName: 'node1' }, status: { phase: 'Running' } });
  assert.deepEqual(margay('apply -n shop -f -', POD).out, ['pod/web unchanged']);
  assert.deepEqual(margay('apply -n shop -f -', POD.replace('old: label', 'new: label')).out, ['pod/web configured']);
  const after = await store.get('Pod', 'shop', 'web');
  assert.deepEqual(after?.metadata.labels, { app: 'web', new: 'label' });
  assert.equal(after.spec.nodeName, 'node1');
  assert.deepEqual(after.status, { phase: 'Running' });
  store.close();
});

test('apply goes on after what it must refuse, and exits with 1', (t) => {
  const { directory, margay } = setUp(t);
  writeFileSync(join(directory, 'a.yaml'), 'kind: [');
  writeFileSync(
    join(directory, 'b.yaml'),
    POLICY.replace('podSelector: {}', 'podSelector: {}, ingress: [{ports: [{port: 0}]}]'),
  );
  writeFileSync(join(directory, 'c.json'), '{"apiVersion": "v1", "kind": "Foo", "metadata": {"name": "x"}}');
  writeFileSync(join(directory, 'd.yml'), POLICY);
  writeFileSync(join(directory, 'notes.txt'), 'nothing');
  const { out, err, status } = margay('apply -f . -f missing.yaml');
  assert.deepEqual(out, ['networkpolicy.networking.k8s.io/default-deny created']);
  assert.equal(status, 1);
  assert.equal(err.length, 4, err.join('\n'));
  assert.match(err[0] ?? '', /^margay: Cannot parse manifest "a\.yaml:1": .*, expected YAML or JSON$/);
  assert.equal(
    err[1],
    'margay: Cannot accept NetworkPolicy "default/default-deny": spec.ingress[0].ports[0].port: 0 is out of range, expected 1 to 65535 (b.yaml:1)',
  );
  assert.match(
    err[2] ?? '',
    /^margay: Cannot accept kind "Foo" of "x": unknown, expected one of Namespace, .*\(c\.json:1\)$/,
  );
  assert.equal(err[3], 'margay: Cannot read "missing.yaml": no such file or directory, expected a manifest');
});

test('apply refuses an object of another namespace than --namespace', (t) => {
  const { margay } = setUp(t);
  const { err, status } = margay('apply -n shop -f -', POD.replace('name: web,', 'name: web, namespace: other,'));
  const expected =
    'margay: Cannot accept Pod "other/web": metadata.namespace: "other", expected "shop" as --namespace says';
  assert.deepEqual([err, status], [[expected], 1]);
});

test('apply refuses unknown fields, empty peers, missing namespaces, unmasked pools and settings of another name', (t) => {
  const { margay } = setUp(t);
  const odd = POLICY.replace('policyTypes', 'polcyTypes');
  const peers = POLICY.replace(
    'policyTypes: [Ingress]',
    'ingress: [{from: [{}]}], egress: [{to: [{podSelector: {}}, {}]}]',
  );
  const pool =
    'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: pods}\nspec: {cidr: 10.244.0.1/16, ipipMode: Never}\n';
  const settings = 'apiVersion: projectcalico.org/v3\nkind: IPAMConfiguration\nmetadata: {name: mine}\nspec: {}\n';
  const away = POLICY.replace('name: default-deny', 'name: away, namespace: nowhere');
  const text = [odd, peers, pool, settings, away].join('---\n');
  const decoding =
    'Error from server (BadRequest): error when creating "STDIN": NetworkPolicy in version "v1" cannot be handled as a NetworkPolicy: strict decoding error: unknown field "spec.polcyTypes"';
  const others = [
    'The NetworkPolicy "default-deny" is invalid:',
    '* spec.ingress[0].from[0]: Required value: must specify a peer',
    '* spec.egress[0].to[1]: Required value: must specify a peer',
    'The IPPool "pods" is invalid: spec.cidr: Invalid value: "10.244.0.1/16": must be strictly masked, expected "10.244.0.0/16"',
    'The IPAMConfiguration "mine" is invalid: metadata.name: Invalid value: "mine": expected "default", no other is read',
    'Error from server (NotFound): error when creating "STDIN": namespaces "nowhere" not found',
  ];
  const created = ['networkpolicy.networking.k8s.io/default-deny created'];
  assert.deepEqual(margay('apply -f -', text), { out: [], err: [decoding, ...others], status: 1 });
  assert.deepEqual(margay('apply --validate=warn -f -', text), {
    out: created,
    err: ['Warning: unknown field "spec.polcyTypes"', ...others],
    status: 1,
  });
  assert.deepEqual(margay('apply --validate=ignore -f -', odd), {
    out: ['networkpolicy.networking.k8s.io/default-deny unchanged'],
    err: [],
    status: 0,
  });
});

test('apply refuses pools that pods cannot live in, and warns of encapsulation', (t) => {
  const { margay } = setUp(t);
  const v3 = 'apiVersion: projectcalico.org/v3\n';
  const pool = `${v3}kind: IPPool\nmetadata: {name: pods}\nspec: {cidr: 127.0.0.0/8}\n`;
  const settings = `${v3}kind: IPAMConfiguration\nmetadata: {name: default}\nspec: {strictAffinity: false, autoAllocateBlocks: false}\n`;
  const { out, err, status } = margay('apply -f -', `${pool}---\n${settings}`);
  assert.deepEqual(out, ['ipamconfiguration.projectcalico.org/default created']);
  assert.match(err[0] ?? '', /spec\.cidr: "127\.0\.0\.0\/8" overlaps "127\.0\.0\.0\/8", which is loopback/);
  assert.deepEqual([err.length, status], [1, 1]);

  const tunnels = `${v3}kind: IPPool\nmetadata: {name: pods}\nspec: {cidr: 10.244.0.0/16, ipipMode: Always, vxlanMode: Never}\n`;
  const created = margay('apply -f -', tunnels);
  assert.deepEqual([created.out, created.status], [['ippool.projectcalico.org/pods created'], 0]);
  assert.match(created.err.join('\n'), /^Warning: Cannot follow spec\.ipipMode of IPPool "pods": "Always", .*"Never"$/);
});

test('get prints what kubectl prints', (t) => {
  const { margay } = setUp(t);
  margay('apply -n shop -f -', `${SHOP}---\n${POD}---\n${POLICY}`);
  assert.deepEqual(margay('get pods'), { out: [], err: ['No resources found in default namespace.'], status: 0 });
  assert.deepEqual(margay('get nodes'), { out: [], err: ['No resources found'], status: 0 });
  assert.deepEqual(margay('get pods,netpol -n shop -o name').out, [
    'pod/web',
    'networkpolicy.networking.k8s.io/default-deny',
  ]);
  assert.equal(margay('get po -A -l app=web').out.length, 2);
  assert.equal(margay('get po -A -l app=db').out.length, 0);
  const object: unknown = JSON.parse(margay('get pod web -n shop -o json').out.join('\n'));
  assert.equal(Reflect.get(Object(object), 'kind'), 'Pod');
  assert.deepEqual(margay('get pod web nope -n shop -o name'), {
    out: ['pod/web'],
    err: ['Error from server (NotFound): pods "nope" not found'],
    status: 1,
  });
  const plurals = Object.values(KINDS).map(({ plural }) => plural);
  assert.deepEqual(margay('get foo'), {
    out: [],
    err: [`error: the server doesn't have a resource type "foo", expected one of ${plurals.join(', ')}`],
    status: 1,
  });
});

test('delete deletes what is there and tells what is not', (t) => {
  const { directory, margay } = setUp(t);
  const file = `${POD}---\n${POLICY}---\n${SHOP}`;
  writeFileSync(join(directory, 'all.yaml'), file);
  margay('apply -n shop -f all.yaml');
  assert.deepEqual(margay('delete pod nope web -n shop'), {
    out: ['pod "web" deleted from shop namespace'],
    err: ['Error from server (NotFound): pods "nope" not found'],
    status: 1,
  });
  assert.deepEqual(margay('delete -n shop -f all.yaml --ignore-not-found'), {
    out: ['networkpolicy.networking.k8s.io "default-deny" deleted from shop namespace', 'namespace "shop" deleted'],
    err: [],
    status: 0,
  });
  assert.deepEqual(margay('delete pods').err, ['error: give names, -l or --all']);
});

test('a datastore is created only where apply is told to, and not in the place of a lab', (t) => {
  const { directory, margay } = setUp(t);
  const missing = join(directory, 'other.db');
  assert.deepEqual(margay(`get pods --datastore ${missing}`), {
    out: [],
    err: [
      `margay: Cannot open datastore "${missing}": the file is missing, expected a datastore ("margay apply --create-datastore" makes one)`,
    ],
    status: 1,
  });
  assert.equal(existsSync(missing), false);
  const apply = `apply -f - --datastore ${missing}`;
  assert.equal(margay(apply, SHOP).status, 1);
  assert.equal(existsSync(missing), false);
  for (const outcome of ['created', 'unchanged']) {
    const made = { out: [`namespace/shop ${outcome}`], err: [], status: 0 };
    assert.deepEqual(margay(`${apply} --create-datastore`, SHOP), made);
  }
  assert.equal(margay('apply -f - --create-datastore --lab nothere1', SHOP).status, 1);
  const { err } = margay('get pods --lab nothere1');
  assert.match(err[0] ?? '', /no lab "nothere1" is up, expected one \(start it: \.\/margay lab up --name nothere1\)$/);
});
