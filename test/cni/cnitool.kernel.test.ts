// A runtime that knows CNI 1.1.0, by the list as `margay cni install` writes it: libcni as cnitool has it, with the real
// executable, the real agent and portmap behind us, each verb once.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { agentNode } from '../support/agent-node.ts';
import { cniPathsOf, ipamViewOf, spooled } from '../support/cni-state.ts';
import { cnitool, type GoProgram, newestPortmap } from '../support/go-program.ts';
import { margay } from '../support/margay-cli.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';
import { getOverHttp } from '../support/outside-host.ts';

const DEBIAN_PORTMAP = '/usr/lib/cni/portmap';
const DEADLINE = { timeoutMs: 60_000 };
// Side by side: each may take as long as half of what a file may.
const [TOOL, PORTMAP]: readonly GoProgram[] = await Promise.all([cnitool(), newestPortmap()]);

if (TOOL?.kind === 'built' && PORTMAP?.kind === 'built') {
  const [tool, portmap] = [TOOL.program, PORTMAP.program];
  test('cnitool runs pods in 1.1.0 where all plugins of the list know it, and in 1.0.0 where one does not', async (t) => {
    const world = await createWorld(t, tool);
    await t.test('1.1.0', () => allVerbs(world, portmap));
    await t.test('1.0.0', () => olderList(world));
  });
} else {
  test('cnitool is not there', (t) => {
    for (const program of [TOOL, PORTMAP]) if (program?.kind === 'absent') t.diagnostic(program.why);
    assert.ok(existsSync(DEBIAN_PORTMAP), 'other tests have its predecessor from the distribution');
  });
}

type World = Awaited<ReturnType<typeof createWorld>>;

async function allVerbs({ node, web, client, run, refused, install, pings, index }: World, portmap: string) {
  assert.match(install(portmap), / with margay, portmap in cniVersion 1\.0\.0, cniVersions up to 1\.1\.0, and /);
  assert.equal(await run('status', web), '');

  const added = JSON.parse(await run('add', web));
  const address: string = added.ips[0].address;
  assert.equal(added.cniVersion, '1.1.0');
  assert.match(address, /^10\.244\.\d+\.\d+\/32$/);
  JSON.parse(await run('add', client));
  assert.equal(await pings(client.netns, address.replace('/32', '')), true);
  await waitFor('the port of the node', async () => (await index(8080)) === 'web', DEADLINE);
  for (const pod of [web, client]) assert.equal(await run('check', pod), '');
  await web.netns.exec('ip', 'address', 'del', address, 'dev', 'eth0');
  assert.match(await refused('check', web), new RegExp(`Cannot .*${address.replace('/32', '')}`));

  // It deletes all that it knows and then sends no list, which CNI SPEC requires and which might as well be a mistake.
  assert.match(
    await refused('gc', web),
    /"cni\.dev\/valid-attachments"\]: is missing, expected the attachments that stay/,
  );
  assert.deepEqual((await ipamViewOf(node)).assignments, []);
  for (const { netns } of [web, client]) {
    await waitFor('the link to go', async () => !/eth0/.test(await netns.exec('ip', '-o', 'link')), DEADLINE);
  }
  assert.equal(await index(8080), undefined);
  await run('del', web);

  JSON.parse(await run('add', web));
  await node.kill();
  assert.match(await refused('status', web), /agent/);
  assert.equal(await run('del', web), '');
  assert.equal(spooled(node).length, 1);
  await node.start();
  await waitFor('the kept DEL', async () => (await ipamViewOf(node)).assignments.length === 0, DEADLINE);
}

async function olderList({ node, web, run, install, index }: World) {
  assert.match(install(DEBIAN_PORTMAP), / with margay, portmap in cniVersion 1\.0\.0, and /);
  assert.equal(JSON.parse(await run('add', web)).cniVersion, '1.0.0');
  await waitFor('the port of the node', async () => (await index(8080)) === 'web', DEADLINE);
  // No CHECK: this portmap looks for rules of IPv4 among those of IPv6 too.
  assert.equal(await run('del', web), '');
  assert.deepEqual((await ipamViewOf(node)).assignments, []);
}

type Pod = { readonly netns: TestNetns; readonly name: string; readonly capabilities: object };

async function createWorld(t: TestContext, tool: string) {
  const node = await agentNode(t);
  const folder = mkdtempSync(join(tmpdir(), 'margay-cnitool-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [conf, bin, state, pages] = ['net.d', 'bin', 'lib', 'www'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const each of [bin, state, pages]) mkdirSync(each);
  writeFileSync(join(pages, 'name'), 'web');
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const podOf = async (name: string, capabilities: object = {}): Promise<Pod> => {
    const spec = { nodeName: 'node1' };
    await node.create({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name }, spec });
    return { netns: await testNetns(t, name), name, capabilities };
  };
  const web = await podOf('web', { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] });
  const client = await podOf('client');
  web.netns.spawn('busybox', ['httpd', '-f', '-p', '80', '-h', pages], { stdio: 'ignore' });

  /** What it prints. It keeps results below /var/lib, which is a folder of the test for it. */
  const run = (verb: string, pod: Pod): Promise<string> => {
    const settings = [
      `NETCONFPATH=${conf}`,
      `CNI_PATH=${bin}`,
      `CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod.name}`,
      `CAP_ARGS=${JSON.stringify(pod.capabilities)}`,
    ];
    const inPrivate = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /var/lib && exec "$@"', state];
    return node.netns.exec('env', ...settings, ...inPrivate, tool, verb, 'margay', pod.netns.path);
  };
  const refused = (verb: string, pod: Pod): Promise<string> =>
    run(verb, pod).then(
      () => assert.fail(`${verb} should fail`),
      (error: unknown) => String(Object(error).stderr),
    );
  const install = (portmap: string): string => {
    const { socket, spool } = cniPathsOf(node);
    for (const each of [conf, join(bin, 'portmap')]) rmSync(each, { recursive: true, force: true });
    symlinkSync(portmap, join(bin, 'portmap'));
    const places = ['--agent-socket', socket, '--spool-directory', spool, '--conf-dir', conf, '--bin-dir', bin];
    const { status, stdout, stderr } = margay(['cni', 'install', ...places]);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const pings = (from: TestNetns, ip: string): Promise<boolean> => succeeds(from.exec('ping', '-c1', '-W10', ip));
  /** What the web server says behind this port of the node, whose own connections are translated too. */
  const index = (port: number): Promise<string | undefined> =>
    node.netns.exec(...getOverHttp('198.51.100.11', port)).then(
      (text) => text || undefined,
      () => undefined,
    );
  return { node, web, client, run, refused, install, pings, index };
}

const succeeds = (done: Promise<unknown>): Promise<boolean> =>
  done.then(
    () => true,
    () => false,
  );
