// Agent and network configuration that name different folders for the DELs that nobody took.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { agentNode } from '../support/agent-node.ts';
import { succeeded } from '../support/cni-answers.ts';
import { cniCaller } from '../support/cni-call.ts';
import { cniPathsOf } from '../support/cni-state.ts';
import { testNetns } from '../support/netns.ts';

test('status names a spool that the agent does not read, until a call has the right one by any path', async (t) => {
  const node = await agentNode(t);
  await node.start();
  const { socket, spool } = cniPathsOf(node);
  const { call } = cniCaller({ socket, spool });
  const pod = { containerId: 'c', netns: (await testNetns(t, 'pod')).path };
  const problemsAfter = async (spoolDirectory: string | undefined): Promise<unknown> => {
    succeeded(await call({ command: 'ADD', ...pod, config: { spoolDirectory } }));
    assert.equal((await call({ command: 'DEL', ...pod })).exitCode, 0);
    return (await node.status())['problems'];
  };
  const named = (folder: string) => [
    `Cannot find the DELs that the CNI executable keeps in "${folder}" while no agent runs: this agent looks in "${spool}", expected one folder. Run "margay cni install" with --spool-directory "${spool}"`,
  ];
  assert.deepEqual(await problemsAfter(spool), []);
  const other = join(dirname(spool), 'elsewhere');
  assert.deepEqual(await problemsAfter(other), named(other));
  mkdirSync(spool, { recursive: true });
  symlinkSync(spool, other);
  assert.deepEqual(await problemsAfter(undefined), named('/var/lib/margay/cni-spool'));
  assert.deepEqual(await problemsAfter(other), []);
});
