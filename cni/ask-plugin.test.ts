import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { statusProblem } from './ask-plugin.ts';

test('statusProblem() tells all of what a plugin answers', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'margay-ask-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'plugin');
  const answer = (error: object): string => `echo '${JSON.stringify(error)}'; exit 1`;
  const rows = [
    { name: 'ready', given: '[ "$CNI_COMMAND" = STATUS ] && grep -q margay', expected: undefined },
    {
      name: 'quotes and what to do',
      given: answer({ code: 50, msg: 'Cannot attach pods: pool "a" is full', details: 'Add an IPPool' }),
      expected: 'Cannot attach pods: pool "a" is full. Add an IPPool',
    },
    { name: 'no details', given: answer({ code: 50, msg: 'Not yet' }), expected: 'Not yet' },
    {
      name: 'no JSON',
      given: 'echo broken; exit 1',
      expected: 'the plugin tells no status: it ended with exit code 1',
    },
    { name: 'no answer', given: 'kill -9 $$', expected: 'the plugin tells no status: it ended with SIGKILL' },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, () => {
      writeFileSync(program, `#!/bin/sh\n${given}\n`, { mode: 0o755 });
      assert.equal(statusProblem(program, { name: 'margay' }), expected);
    });
  }
});
