// `margay cni install` and `uninstall` as a user runs them, with the agent and the reference plugins of Debian: the list is
// there only while an agent can serve, names only what the runtime will find, and all of it goes again.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { cniExecutable, cniNode } from '../support/cni-node.ts';
import { type CliOutcome, margay } from '../support/margay-cli.ts';

const DEBIAN_PLUGINS = '/usr/lib/cni';
const ALL_VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];

test('margay cni install and uninstall', async (t) => {
  const node = await cniNode(t);
  const executable = readFileSync(cniExecutable());
  const at = (name: string): string => join(node.folder, name);
  /** Both folders of each test are new. */
  const folders = (name: string, ...plugins: readonly string[]) => {
    const [conf, bin] = [at(`${name}/net.d`), at(`${name}/bin`)];
    mkdirSync(bin, { recursive: true });
    for (const plugin of plugins) symlinkSync(join(DEBIAN_PLUGINS, plugin), join(bin, plugin));
    const list = () => JSON.parse(readFileSync(join(conf, '10-margay.conflist'), 'utf8'));
    return { conf, bin, list, options: ['--conf-dir', conf, '--bin-dir', bin] };
  };
  const agentOptions = ['--agent-socket', node.config.socket, '--spool-directory', node.config.spool];
  const install = (...options: readonly string[]): CliOutcome =>
    margay(['cni', 'install', ...agentOptions, ...options]);
  const PLUGINS = ['bandwidth', 'loopback', 'portmap'];

  await t.test('without an agent there is the executable and no list, and it is said why', () => {
    const { options, bin, conf } = folders('agentless', ...PLUGINS);
    const { status, stdout, stderr } = install(...options);
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(
      stderr,
      /^margay: Cannot install the network configuration ".*\/10-margay\.conflist": Cannot reach the margay-node agent: ".*" does not answer\. Start the agent of this node; .*\n$/,
    );
    assert.ok(stderr.includes(`"${node.config.socket}"`));
    assert.deepEqual(readdirSync(bin), ['bandwidth', 'loopback', 'margay', 'portmap']);
    assert.throws(() => readdirSync(conf), /ENOENT/);
  });

  await node.startAgent();
  await t.test('with one there are both, once or twice, and nothing stays', () => {
    const { options, bin, conf, list } = folders('whole', ...PLUGINS);
    const told = `installed ${conf}/10-margay.conflist with margay, portmap, bandwidth in cniVersion 1.0.0, and ${bin}/margay\n`;
    for (let n = 0; n < 2; n++) assert.deepEqual(install(...options), { status: 0, stdout: told, stderr: '' });
    assert.deepEqual(readdirSync(bin), ['bandwidth', 'loopback', 'margay', 'portmap']);
    assert.deepEqual(readdirSync(conf), ['10-margay.conflist']);
    assert.deepEqual(readFileSync(join(bin, 'margay')), executable);
    assert.equal(statSync(join(bin, 'margay')).mode & 0o7777, 0o755);
    assert.equal(statSync(join(conf, '10-margay.conflist')).mode & 0o7777, 0o600);
    assert.deepEqual(list(), {
      cniVersion: '1.0.0',
      name: 'margay',
      plugins: [
        {
          type: 'margay',
          agentSocket: node.config.socket,
          spoolDirectory: node.config.spool,
          capabilities: { ips: true, mac: true },
        },
        { type: 'portmap', capabilities: { portMappings: true }, snat: true },
        { type: 'bandwidth', capabilities: { bandwidth: true } },
      ],
    });
    for (let n = 0; n < 2; n++) {
      assert.deepEqual(margay(['cni', 'uninstall', ...options]), { status: 0, stdout: '', stderr: '' });
    }
    assert.deepEqual([readdirSync(bin), readdirSync(conf)], [PLUGINS, []]);
  });

  await t.test(
    'what the runtime will not find is not in the list, which is in 1.1.0 then for those that know it',
    () => {
      const { options, list } = folders('bare');
      const { status, stdout, stderr } = install(...options);
      assert.equal(status, 0);
      assert.match(stdout, / with margay in cniVersion 1\.0\.0, cniVersions up to 1\.1\.0, and /);
      for (const line of stderr.trim().split('\n')) {
        assert.match(line, /^margay: warning: plugin "(portmap|bandwidth|loopback)" is not in "/);
      }
      assert.equal(stderr.trim().split('\n').length, 3);
      const { plugins, cniVersion, cniVersions } = list();
      assert.deepEqual(
        plugins.map(({ type }: { readonly type: string }) => type),
        ['margay'],
      );
      assert.deepEqual([cniVersion, cniVersions], ['1.0.0', ALL_VERSIONS]);
    },
  );

  await t.test('what is told from where the user stands is told to the runtime in full', () => {
    const { options, list } = folders('relative', ...PLUGINS);
    const [socket, spool] = [node.config.socket, node.config.spool].map((path) => relative(process.cwd(), path));
    const told = ['--agent-socket', `${socket}`, '--spool-directory', `${spool}`];
    const { status, stderr } = margay(['cni', 'install', ...told, ...options]);
    assert.deepEqual([status, stderr], [0, '']);
    const [{ agentSocket, spoolDirectory }] = list().plugins;
    assert.deepEqual([agentSocket, spoolDirectory], [node.config.socket, node.config.spool]);
  });

  await t.test('a folder that is a file is named', () => {
    const { options, bin } = folders('file', ...PLUGINS);
    const path = join(bin, 'portmap');
    const { status, stderr } = install(...options, '--conf-dir', path);
    assert.equal(status, 1);
    assert.match(stderr, /^margay: Cannot write ".*\/portmap\/10-margay\.conflist": EEXIST.*, expected a folder that /);
  });

  await t.test('a folder that cannot be written to is named, and nothing stays', () => {
    const { options, bin, conf } = folders('unwritable', ...PLUGINS);
    mkdirSync(conf);
    for (const [folder, file] of [
      [bin, 'margay'],
      [conf, '10-margay.conflist'],
    ] as const) {
      const before = readdirSync(folder);
      execFileSync('mount', ['--bind', '-o', 'ro', folder, folder]);
      try {
        const { status, stderr } = install(...options);
        assert.equal(status, 1);
        const said = `^margay: Cannot write ".*/${file}": EROFS.*, expected a folder that .*\\n$`;
        assert.match(stderr, new RegExp(said));
      } finally {
        execFileSync('umount', [folder]);
      }
      assert.deepEqual(readdirSync(folder), before);
    }
    mkdirSync(join(conf, '10-margay.conflist'));
    const { status, stderr } = margay(['cni', 'uninstall', ...options]);
    assert.equal(status, 1);
    assert.match(stderr, /^margay: Cannot remove ".*\/10-margay\.conflist": .*EISDIR.*, expected .*\n$/);
  });

  await t.test('a configuration that the runtime takes before ours is told of, and is not touched', () => {
    const { options, conf } = folders('shadowed', ...PLUGINS);
    mkdirSync(join(conf, '01-folder.conf'), { recursive: true });
    const files = ['00-old.conf', '10-calico.conflist', '10-calico.conflist.bak', '20-other.conflist'];
    for (const name of files) writeFileSync(join(conf, name), '{}');
    const { status, stderr } = install(...options);
    assert.equal(status, 0);
    assert.deepEqual(
      stderr
        .split('\n')
        .map((line) => /^margay: warning: (".*") comes before ".*": the runtime goes by it/.exec(line)?.[1]),
      ['"00-old.conf"', '"10-calico.conflist"', undefined],
    );
    assert.equal(margay(['cni', 'uninstall', ...options]).status, 0);
    assert.deepEqual(readdirSync(conf), [files[0], '01-folder.conf', ...files.slice(1)]);
  });

  await t.test('without a required plugin there is nothing', () => {
    const { options, bin } = folders('required', 'portmap');
    const { status, stderr } = install(...options, '--require', 'portmap', 'bandwidth');
    assert.equal(status, 1);
    assert.match(stderr, /^margay: Cannot install the network configuration: plugin "bandwidth" is not in .*\n$/);
    assert.deepEqual(readdirSync(bin), ['portmap']);
    assert.match(install(...options, '--require', 'ptp').stderr, /Allowed choices are portmap, bandwidth, loopback/);
  });

  await t.test('of several folders, ours goes into the first and the others may be in any', () => {
    const first = folders('first', 'loopback');
    const second = folders('second', 'portmap', 'bandwidth');
    assert.equal(install(...first.options, second.bin).stderr, '');
    assert.deepEqual(
      first.list().plugins.map(({ type }: { readonly type: string }) => type),
      ['margay', 'portmap', 'bandwidth'],
    );
    assert.deepEqual(
      [readdirSync(first.bin), readdirSync(second.bin)],
      [
        ['loopback', 'margay'],
        ['bandwidth', 'portmap'],
      ],
    );
  });

  await t.test('the version of the list can be given, when all of it knows that version', () => {
    const { options, list, conf } = folders('version', ...PLUGINS);
    const refused = install(...options, '--cni-version', '1.1.0');
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^margay: Cannot use CNI version "1\.1\.0": .*portmap supports .*1\.0\.0; bandwidth/);
    assert.throws(() => readdirSync(conf), /ENOENT/);
    assert.equal(install(...options, '--cni-version', '0.4.0').status, 0);
    assert.deepEqual([list().cniVersion, list().cniVersions], ['0.4.0', undefined]);
  });
});
