// The status of a lab whose programs do not run.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { labFiles } from './paths.ts';
import { planLab } from './spec.ts';
import { labStatus, printStatus } from './status.ts';

test('labStatus() does not claim to know what only an agent tells', async (t) => {
  const name = `s${process.pid}`;
  const { directory, pods } = labFiles(name);
  mkdirSync(pods, { recursive: true, mode: 0o700 });
  t.after(() => rmSync(directory, { recursive: true }));
  const status = await labStatus(planLab({ name, nodes: 1, tor: 'bird' }, { pid: process.pid, startTime: '0' }));
  const [node] = status.nodes;
  assert.deepEqual([node?.ready, node?.bgp, node?.blocks], [false, undefined, undefined]);
  assert.match(printStatus(status), /^node1 .* no +unknown +unknown +- +- /m);
});
