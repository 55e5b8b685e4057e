// What `margay ipam` makes of a datastore with objects that cannot be read.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ipBlockSchema } from '../../datastore/resources/ip-block.ts';
import { ipamWorld, ipPool } from '../../test/support/ipam-world.ts';
import { margay } from '../../test/support/margay-cli.ts';

test('ipam offers nothing for release because of what cannot be read, and names it', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/16')], ['one', 'two']);
  const metadata = { name: '10-244-1-0-24' };
  const block = await world.store.create(
    ipBlockSchema.parse({
      ...{ apiVersion: 'margay.dev/v1alpha1', kind: 'IPBlock', metadata },
      spec: { cidr: '10.244.1.0/24', pool: 'a', node: 'one' },
    }),
  );
  world.damage('Node/one');
  world.damage('IPPool/a');
  const source = ['--datastore', join(world.directory, 'store.db'), '--agent', join(world.directory, 'no.sock')];
  const checked = margay(['ipam', 'check', ...source]);
  assert.equal(checked.status, 1);
  assert.match(checked.stdout, /^not-checked: Cannot read Node "one": (?!Cannot).+$/m);
  assert.match(checked.stdout, /^not-checked: node "one": its agent was not asked, or does not answer$/m);
  assert.doesNotMatch(checked.stdout, /block-of-no-node/);
  const shown = margay(['ipam', 'show', ...source]);
  assert.match(shown.stderr, /^margay: Cannot read IPPool "a": (?!Cannot).+$/m);

  const report = join(world.directory, 'report.json');
  const release = { kind: 'block', block: metadata.name, version: block.metadata.resourceVersion };
  writeFileSync(report, JSON.stringify({ findings: [{ why: 'edited', release }] }));
  const released = margay(['ipam', 'release', '--from-report', report, ...source]);
  assert.equal(released.status, 1);
  assert.match(released.stderr, /Cannot release block "10-244-1-0-24": is not what the report says/);
  assert.ok(await world.store.get('IPBlock', undefined, metadata.name));
});
