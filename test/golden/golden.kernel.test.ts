// Whole worlds, compiled: what is printed is what was printed when somebody last looked at it, and the kernel takes it.
// With MARGAY_GOLDEN=update in the environment the files are written anew, to be looked at with git diff.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { inNetns } from '../../lib/linux/netns.ts';
import type { TableName } from '../../lib/nftables/ast.ts';
import { openNftables } from '../../lib/nftables/nfnetlink.ts';
import { printRuleset } from '../../lib/nftables/print.ts';
import { margay } from '../support/margay-cli.ts';
import { testNetns } from '../support/netns.ts';

const scenarios = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

for (const name of scenarios) {
  const directory = join(import.meta.dirname, name);
  const world = join(directory, 'world.yaml');

  describe(`golden ${name}`, () => {
    test('matrix', () => {
      const output = run('matrix', '-f', world, ...portsOf(world).flatMap((port) => ['--port', port]));
      compare(join(directory, 'matrix.txt'), output);
    });

    test('ruleset, and what the kernel makes of it', async (t) => {
      const file = join(directory, 'ruleset.nft');
      const ruleset = run('compile', '-f', world);
      compare(file, ruleset);
      const netns = await testNetns(t, 'golden');
      // Once into nothing, and once over what is there.
      for (const _ of [1, 2]) await netns.exec('nft', '-f', file);
      assert.deepEqual(`${PREFIX}${inKernel(t, netns.path)}`.split('\n'), ruleset.split('\n'));
    });
  });
}

const PREFIX = 'add table inet margay\ndelete table inet margay\n';

function run(command: string, ...args: readonly string[]): string {
  const { stdout, stderr, status } = margay(['policy', command, ...args]);
  assert.deepEqual({ stderr, status }, { stderr: '', status: 0 });
  return stdout;
}

/** The line `# ports: …` of the world says which ports its matrix has. */
function portsOf(world: string): readonly string[] {
  const ports = /^# ports: (.+)$/m.exec(readFileSync(world, 'utf8'))?.[1];
  if (ports === undefined) throw new Error(`Cannot read "${world}": no line "# ports: …", expected one`);
  return ports.split(' ');
}

function compare(file: string, text: string): void {
  if (process.env['MARGAY_GOLDEN'] === 'update') writeFileSync(file, text);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  assert.deepEqual(text.split('\n'), before.split('\n'), 'MARGAY_GOLDEN=update writes it anew');
}

function inKernel(t: TestContext, netns: string): string {
  const nft = inNetns(netns, openNftables);
  t.after(() => nft.close());
  const ruleset = nft.dump('margay' as TableName);
  assert.ok(ruleset !== undefined);
  return printRuleset(ruleset);
}
