import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listSandboxes } from './runtime.ts';

test('listSandboxes() says of a socket that is not there that nothing answers', async () => {
  await assert.rejects(listSandboxes('/no/such.sock'), {
    message: 'Cannot ask the container runtime at "/no/such.sock": nothing answers, expected a CRI socket',
  });
});
