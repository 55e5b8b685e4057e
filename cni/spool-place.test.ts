import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../lib/log.ts';
import { createSpoolPlace } from './spool-place.ts';

test('seen() names any other folder, also one that no system call takes, and throws never', () => {
  const log = createLog('test');
  log.level = 'silent';
  const place = createSpoolPlace('/proc', log);
  for (const other of ['/', '', 'a\0b', '/proc/version/x', `/${'x'.repeat(5000)}`, '/none', undefined]) {
    place.seen(other);
    assert.match(place.problem() ?? '', /^Cannot find the DELs that the CNI executable keeps in /, `${other}`);
  }
  for (const same of ['/proc', '/proc/../proc/']) {
    place.seen('/');
    place.seen(same);
    assert.equal(place.problem(), undefined);
  }
});
