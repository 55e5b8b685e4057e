// `margay ipam …` as an operator runs it, with a node's agent behind it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { agentNode } from '../../test/support/agent-node.ts';
import { margay } from '../../test/support/margay-cli.ts';

const MAIN = join(import.meta.dirname, '..', 'main.ts');

test('ipam shows, checks and configures, and releases what leaked and nothing else', async (t) => {
  const node = await agentNode(t);
  const directory = dirname(dirname(node.controlSocket));
  const source = ['--datastore', join(directory, 'datastore.db'), '--agent', node.controlSocket];
  const ipam = (...words: readonly string[]) => margay(['ipam', ...words, ...source]);
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const web = await node.addPod('shop', 'web');

  const [pools, blocks, address] = [ipam('show'), ipam('show', '--blocks'), ipam('show', web.ip)];
  const report = join(directory, 'report.json');
  const handle = (sequence: number) => {
    const release = { kind: 'address', node: 'node1', handle: leaked, sequence };
    writeFileSync(report, JSON.stringify({ findings: [{ why: 'x', release }] }));
  };
  const leaked = /handle: (.*)/.exec(address.stdout)?.[1] ?? '';
  handle(1);
  // First of all, because each run of the program takes its time, and sixty seconds are soon over on a busy machine.
  const young = ipam('release', '--from-report', report);
  assert.equal(young.status, 1);
  assert.match(young.stderr, /it is younger than 60 s, try again later$/m);
  handle(99);
  assert.match(ipam('release', '--from-report', report).stderr, /its sequence is 1, expected 99/);

  assert.match(pools.stdout, /^POOL .*\npods +10\.244\.0\.0\/16 +65536 +1 of 256 +1 +in service\n$/);
  assert.match(blocks.stdout, /10\.244\.\d+\.0\/24 +pods +node1 +256 +1 +0\n$/);
  assert.match(address.stdout, /assigned: to pod shop\/web on node node1/);
  const json = (...words: readonly string[]) => JSON.parse(ipam('show', '--json', ...words).stdout);
  const pool = { name: 'pods', cidr: '10.244.0.0/16', addresses: 65536, blocks: 1, mostBlocks: 256, used: 1 };
  assert.deepEqual(json(), [{ ...pool, state: 'in service' }]);
  const [{ cidr, ...use }, ...more] = json('--blocks');
  assert.deepEqual([use, more], [{ pool: 'pods', node: 'node1', addresses: 256, used: 1, cooling: 0 }, []]);
  const { block, assignments } = json(web.ip);
  assert.deepEqual([block, assignments[0].pod, assignments[0].node], [{ cidr, node: 'node1' }, 'web', 'node1']);
  const unknown = ipam('show', '--pool', 'x');
  assert.match(unknown.stderr, /Cannot find IPPool "x": is not there, expected one of pods/);
  assert.deepEqual(ipam('check'), {
    status: 0,
    stdout: 'no difference between datastore and 1 agent\n',
    stderr: '',
  });

  // Nobody is asked, and then the agent where it is by default: in a /run of the program's own.
  const blind = margay(['ipam', 'show', ...source.slice(0, 2)]);
  assert.match(blind.stdout, / 1 of 256 +unknown +in service\n$/);
  assert.match(blind.stderr, /^margay: Cannot tell which addresses are in use: no lab is up and ".*" is not there/);
  const prepare = 'mount -t tmpfs none /run && mkdir /run/margay && ln -s "$0" /run/margay/control.sock && exec "$@"';
  const show = [process.execPath, MAIN, 'ipam', 'show', ...source.slice(0, 2)];
  const local = execFileSync('unshare', ['--mount', 'sh', '-c', prepare, node.controlSocket, ...show], {
    encoding: 'utf8',
  });
  assert.equal(local, pools.stdout);

  const nobody = ipam('show', '192.0.2.1');
  assert.equal(nobody.stdout, '192.0.2.1: in no pool\nblock: of nobody\nassigned: to nobody\n');
  await node.create({
    ...{ apiVersion: 'projectcalico.org/v3', kind: 'IPReservation', metadata: { name: 'routers' } },
    spec: { reservedCIDRs: ['192.0.2.0/29'] },
  });
  assert.match(ipam('show', '192.0.2.1').stdout, /\nreserved: by IPReservation routers, for pods that name it\n$/);
  const unheard = margay(['ipam', 'show', web.ip, ...source.slice(0, 2), '--agent', '/no/agent']);
  assert.match(unheard.stdout, /\nassigned: unknown, the agent of node node1 does not answer\n/);

  const nowhere = join(directory, 'none', 'report.json');
  assert.match(ipam('release', '--from-report', nowhere).stderr, /^margay: Cannot read report ".*": ENOENT/);
  assert.match(ipam('check', '--output', nowhere).stderr, /^margay: Cannot write report ".*": ENOENT/);

  await node.create({
    apiVersion: 'margay.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: '10-244-77-0-24' },
    spec: { cidr: '10.244.77.0/24', pool: 'pods', node: 'gone' },
  });
  const checked = ipam('check', '-o', report);
  assert.equal(checked.status, 1);
  assert.match(
    checked.stdout,
    /block-of-no-node: block 10\.244\.77\.0\/24 of node "gone": there is no such Node \(releasable\)/,
  );
  assert.deepEqual(ipam('release', '--from-report', report).stdout, 'released block "10-244-77-0-24"\n');
  assert.match(ipam('release', '--from-report', report).stderr, /is not what the report says/);
  assert.equal(ipam('check').status, 0);

  const configured = margay(['ipam', 'configure', '--cooldown', '60', ...source.slice(0, 2)]);
  assert.match(configured.stdout, /cooldown: 60 s\n.*\nnew blocks: claimed as nodes need them\nleak grace: 900 s/);
  const grace = margay(['ipam', 'configure', '--leak-grace', '0', ...source.slice(0, 2)]);
  assert.match(grace.stdout, /cooldown: 60 s\n.*\n.*\nleak grace: nothing is set free by itself/);
  assert.match(margay(['get', 'ipamconfiguration', ...source.slice(0, 2)]).stdout, / 60s +0 +true +never /);
  const frozen = margay(['ipam', 'configure', '--auto-allocate-blocks', 'false', ...source.slice(0, 2)]);
  assert.match(frozen.stdout, /cooldown: 60 s\n.*\nnew blocks: none, .*\nleak grace: nothing/);
  assert.match(
    margay(['ipam', 'configure', '--auto-allocate-blocks', 'no', ...source.slice(0, 2)]).stderr,
    /true, false/,
  );
  margay(['ipam', 'configure', '--auto-allocate-blocks', 'true', ...source.slice(0, 2)]);
  const word = margay(['ipam', 'configure', '--cooldown', 'long', ...source.slice(0, 2)]);
  assert.equal(word.stderr, 'margay: Cannot use --cooldown "long": expected a whole number of at most nine digits\n');
  const refused = margay(['ipam', 'configure', '--cooldown', '1201', ...source.slice(0, 2)]);
  assert.match(refused.stderr, /spec\.ipCooldownSeconds: 1201 is out of range, expected 0 to 1200/);
  assert.equal((await web.cni('DEL')).code, 0);
  await waitFor('the address to rest', async () => / 0 +1\n$/.test(ipam('show', '--blocks').stdout), {
    timeoutMs: 60_000,
  });
  assert.match(
    ipam('show', web.ip).stdout,
    /\nassigned: to nobody\ncooling: a pod on node node1 had it until lately, /,
  );
  assert.deepEqual(json(web.ip).coolingOn, ['node1']);
});

test('an address whose pod vanished without DEL is found and set free', async (t) => {
  const node = await agentNode(t);
  const directory = dirname(dirname(node.controlSocket));
  const source = ['--datastore', join(directory, 'datastore.db'), '--agent', node.controlSocket];
  const ipam = (...words: readonly string[]) => margay(['ipam', ...words, ...source]);
  const report = join(directory, 'report.json');
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const lost = await node.addPod('shop', 'lost');
  const live = await node.addPod('shop', 'live');
  await node.kill();
  await node.netns.exec('ip', 'link', 'delete', lost.hostIfName);
  const journal = new DatabaseSync(join(directory, 'state', 'journal.db'));
  journal.exec(`UPDATE assignment SET record = json_set(record, '$.assignedAt', '2026-01-01T00:00:00.000Z',
    '$.netns', '/run/netns/mgyt-none') WHERE json_extract(record, '$.pod') = 'lost'`);
  journal.close();
  await node.start();

  const checked = ipam('check', '-o', report);
  assert.match(
    checked.stdout,
    new RegExp(`^leaked-address: ${lost.ip} of pod "shop/lost" .*\\(releasable\\)\n1 difference between`),
  );
  assert.equal(ipam('release', '--from-report', report).stdout, `released address ${lost.ip} of node "node1"\n`);
  assert.equal(ipam('check').status, 0);
  assert.match(ipam('show', '--blocks').stdout, / 256 +1 +0\n$/);
  assert.match(ipam('show', live.ip).stdout, /assigned: to pod shop\/live/);
  assert.match(ipam('release', '--from-report', report).stderr, /it is not assigned/);

  // The datastore has forgotten the node; its agent has not.
  await node.store.delete('Pod', 'shop', 'live');
  await node.store.delete('Node', undefined, 'node1');
  assert.match(
    ipam('check').stdout,
    /^block-of-no-node: .*: there is no such Node, but pod "shop\/live" on node "node1" has an address of it$/m,
  );
});
