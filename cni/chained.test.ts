import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { supportedVersions } from './ask-plugin.ts';
import { findChained } from './chained.ts';

const ANSWER = `{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}`;

test('what is where the runtime looks stands in the list', (t) => {
  const { folders, put } = binFolders(t);
  put(1, 'bandwidth', `echo '${ANSWER}'`);
  put(0, 'portmap', `[ "$CNI_COMMAND" = VERSION ] && echo '${ANSWER}'`);
  put(1, 'portmap', 'exit 1');
  symlinkSync('portmap', join(folders[0], 'loopback'));
  const { entries, versions, warnings } = findChained(folders, ['portmap', 'bandwidth', 'loopback']);
  assert.deepEqual(
    entries.map(({ type }) => type),
    ['portmap', 'bandwidth'],
  );
  assert.deepEqual(versions.get('portmap'), ['0.4.0', '1.0.0']);
  assert.deepEqual(warnings, []);
});

test('what is not there is left out and told, or refused where it is required', (t) => {
  const { folders, put } = binFolders(t);
  put(0, 'bandwidth', `echo '${ANSWER}'`);
  mkdirSync(join(folders[1], 'portmap'));
  const { entries, warnings } = findChained(folders, ['bandwidth']);
  assert.deepEqual(
    entries.map(({ type }) => type),
    ['bandwidth'],
  );
  const [portmap = '', loopback = '', ...others] = warnings;
  assert.match(
    portmap,
    /^plugin "portmap" is not in ".*0" or ".*1": hostPort of pods has no effect\. Install .*--bin-dir/,
  );
  assert.match(loopback, /^plugin "loopback" is not in .*: containerd starts no pod at all\./);
  assert.deepEqual(others, []);
  assert.throws(
    () => findChained(folders, ['portmap']),
    /^Error: Cannot install the network configuration: plugin "portmap" is not in .*\. Install /,
  );
});

test('a plugin that cannot be asked is named', async (t) => {
  const { folders, put } = binFolders(t);
  const rows = [
    { name: 'fails', given: 'exit 3', expected: /it ended with exit code 3, expected a CNI plugin/ },
    { name: 'is killed', given: 'kill -9 $$', expected: /it ended with SIGKILL/ },
    { name: 'is no plugin', given: 'echo hello', expected: /its answer has no supportedVersions/ },
    { name: 'tells no versions', given: 'echo {}', expected: /its answer has no supportedVersions/ },
    { name: 'cannot be run', given: undefined, expected: /Cannot ask ".*\/portmap" for its versions: .*EACCES/ },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, () => {
      put(0, 'portmap', given ?? '', given === undefined ? 0o644 : 0o755);
      assert.throws(() => findChained(folders, []), expected);
      rmSync(join(folders[0], 'portmap'));
    });
  }
  assert.throws(() => supportedVersions(join(folders[0], 'nothing')), /ENOENT/);
});

function binFolders(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'margay-chained-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const folders = [join(root, '0'), join(root, '1')] as const;
  for (const folder of folders) mkdirSync(folder);
  return {
    folders,
    put: (n: 0 | 1, name: string, script: string, mode = 0o755) =>
      writeFileSync(join(folders[n], name), `#!/bin/sh\n${script}\n`, { mode }),
  };
}
