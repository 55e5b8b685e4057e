import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

test('readStdin() waits for a writer that takes its time', { timeout: 30_000 }, async () => {
  const main = join(import.meta.dirname, 'main.ts');
  const child = spawn(process.execPath, [main, 'policy', 'matrix', '-f', '-', '--port', '80/tcp'], { stdio: 'pipe' });
  const answer = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  // One that does not wait is gone by then, and the pipe with it.
  child.stdin.on('error', () => {});
  for (const line of ['apiVersion: v1', 'kind: Namespace', 'metadata: {name: shop}']) {
    await sleep(500);
    child.stdin.write(`${line}\n`);
  }
  child.stdin.end();
  const [, stderr, [code]] = await answer;
  assert.deepEqual([stderr, code], ['', 0]);
});
