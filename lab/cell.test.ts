// The table of cells as text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cell, printCells } from './cell.ts';

const cell = (from: string, to: string, expected: Cell['expected'], more: Partial<Cell> = {}): Cell => ({
  from,
  to,
  port: 80,
  protocol: 'TCP',
  expected,
  observed: expected,
  ...more,
});

test('printCells() shows allowed, denied and missing cells', () => {
  const cells = [
    cell('shop/a', 'shop/b', 'allow'),
    cell('shop/b', 'shop/a', 'deny'),
    cell('shop/b', 'shop/a', 'allow', { port: 53, protocol: 'UDP' }),
  ];
  assert.equal(
    printCells(cells),
    [
      '   1 shop/a 53/udp',
      '   2 shop/a 80/tcp',
      '   3 shop/b 80/tcp',
      '  from    1  2  3',
      '  shop/a        .',
      '  shop/b  .  X   ',
      '  3 of 3 connections as expected',
    ].join('\n'),
  );
});

test('printCells() tells mismatches in words', () => {
  const cells = [cell('shop/a', 'shop/b', 'allow', { observed: 'deny', why: 'ECONNREFUSED' })];
  assert.match(printCells(cells), /shop\/a {2}!/);
  assert.match(
    printCells(cells),
    /0 of 1 connections as expected\n {2}! shop\/a -> shop\/b 80\/tcp: expected allow, observed deny \(ECONNREFUSED\)$/,
  );
});
