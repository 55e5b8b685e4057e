import assert from 'node:assert/strict';
import { test } from 'node:test';
import { margay } from '../test/support/margay-cli.ts';

const rows = [
  { args: ['--nope'], help: 'margay --help' },
  { args: ['nope'], help: 'margay --help' },
  { args: ['ipam', 'nope'], help: 'margay ipam --help' },
  { args: ['ipam', 'show', '--nope'], help: 'margay ipam show --help' },
  { args: ['apply', '--nope', '-f', '-'], help: 'margay apply --help' },
  { args: ['bgp', 'explain'], help: 'margay bgp explain --help' },
];
for (const { args, help } of rows) {
  test(`margay ${args.join(' ')} leads to ${help}`, () => {
    const { status, stderr } = margay(args);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`^margay: .*\\nRun "${help}" for usage\\n$`, 's'));
  });
}
