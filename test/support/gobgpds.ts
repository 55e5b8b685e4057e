// The gobgpds that a test of the driver runs against: that of the distribution, and the newest 4.x where it can be had.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { Codec } from '../../bgp/driver/codec.ts';
import { v3 } from '../../bgp/driver/v3/codec.ts';
import { v4 } from '../../bgp/driver/v4/codec.ts';
import { newestGobgpd } from './go-program.ts';

export type TestGobgpd = {
  readonly generation: Codec['generation'];
  readonly codec: Codec;
  /** Absent: `gobgpd` from PATH. */
  readonly program?: string;
};

const OF_DISTRIBUTION: TestGobgpd = { generation: '3.x', codec: v3 };

/** Without 4.x, a test says in its diagnostic that the others ran with 3.x alone, and why. */
export async function gobgpds(): Promise<readonly TestGobgpd[]> {
  const newest = await newestGobgpd();
  if (newest.kind === 'built') return [OF_DISTRIBUTION, { generation: '4.x', codec: v4, program: newest.program }];
  test('gobgpd 3.x is there, 4.x is not', (t: TestContext) => {
    t.diagnostic(newest.why);
    assert.match(execFileSync('gobgpd', ['--version'], { encoding: 'utf8' }), /^gobgpd version 3\./);
  });
  return [OF_DISTRIBUTION];
}
