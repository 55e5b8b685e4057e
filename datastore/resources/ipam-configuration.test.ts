import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '../../lib/result.ts';
import type { IpamConfiguration } from './ipam-configuration.ts';
import { parseResource } from './parse.ts';

function configuration(spec: object): IpamConfiguration {
  const [apiVersion, kind] = ['projectcalico.org/v3', 'IPAMConfiguration'];
  const parsed = unwrap(parseResource({ apiVersion, kind, metadata: { name: 'default' }, spec }));
  return parsed.kind === 'IPAMConfiguration' ? parsed : assert.fail(parsed.kind);
}

test('IPAMConfiguration takes the defaults of Calico, written out', () => {
  const spec = { strictAffinity: false, autoAllocateBlocks: true, maxBlocksPerHost: 0, ipCooldownSeconds: 60 };
  assert.deepEqual(configuration(spec).spec, spec);
});
