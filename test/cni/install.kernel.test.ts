// Installing the plugin: the list is there only while an agent can serve, and all of it goes again.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installCni, uninstallCni } from '../../cni/install.ts';
import { cniExecutable, cniNode } from '../support/cni-node.ts';

test('the list is installed when the agent serves, and nothing stays', async (t) => {
  const node = await cniNode(t);
  const [confDirectory, binDirectory] = [join(node.folder, 'etc/net.d'), join(node.folder, 'opt/bin')];
  const installation = {
    confDirectory,
    binDirectory,
    executable: cniExecutable(),
    agentSocket: node.config.socket,
    spoolDirectory: node.config.spool,
  };
  assert.throws(() => installCni(installation), /10-margay\.conflist": Cannot reach the margay-node agent/);
  assert.deepEqual(readdirSync(binDirectory), ['margay']);
  assert.throws(() => readdirSync(confDirectory), /ENOENT/);

  await node.startAgent();
  for (let n = 0; n < 2; n++) installCni(installation);
  assert.deepEqual(readdirSync(binDirectory), ['margay']);
  assert.deepEqual(readdirSync(confDirectory), ['10-margay.conflist']);
  assert.equal(statSync(join(binDirectory, 'margay')).mode & 0o7777, 0o755);
  const { plugins } = JSON.parse(readFileSync(join(confDirectory, '10-margay.conflist'), 'utf8'));
  assert.deepEqual(
    plugins.map(({ type, capabilities }: { type: string; capabilities: object }) => [type, Object.keys(capabilities)]),
    [
      ['margay', ['ips', 'mac']],
      ['portmap', ['portMappings']],
      ['bandwidth', ['bandwidth']],
    ],
  );

  for (let n = 0; n < 2; n++) uninstallCni(installation);
  assert.deepEqual([readdirSync(binDirectory), readdirSync(confDirectory)], [[], []]);
});
