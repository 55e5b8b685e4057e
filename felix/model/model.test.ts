import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { FIRST_GENERATION } from '../render/policy/generation.ts';
import { createModel } from './model.ts';

test('createModel() tells of settings that are not in force', () => {
  const model = createModel({ node: 'node1', generation: FIRST_GENERATION });
  const found = () => model.problems().filter((text) => text.includes('IPAMConfiguration'));
  const put = (autoAllocateBlocks: boolean): void => {
    const metadata = { name: 'default' };
    const value = unwrap(
      parseResource({
        ...{ apiVersion: 'projectcalico.org/v3', kind: 'IPAMConfiguration', metadata },
        spec: { strictAffinity: false, autoAllocateBlocks },
      }),
    );
    model.accept({ kind: 'resource', change: { key: keyOf(value), value }, version: '1' });
  };
  put(true);
  assert.deepEqual(found(), []);
  put(false);
  assert.match(found().join(), /^Cannot follow spec\.autoAllocateBlocks of IPAMConfiguration "default": /);
});
