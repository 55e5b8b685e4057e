import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ip } from '../lib/ip.ts';
import { closedMetricsPort } from './config.ts';

test('closedMetricsPort() leaves alone what is open to pods, and ports that are of others elsewhere', () => {
  for (const [address, openToPods, expected] of [
    ['198.51.100.11', false, 9179],
    ['0.0.0.0', false, 9179],
    ['::', false, 9179],
    ['198.51.100.11', true, undefined],
    ['127.0.0.1', false, undefined],
    ['::1', false, undefined],
  ] as const) {
    const metricsListen = { address: address as Ip, port: 9179, openToPods };
    assert.equal(closedMetricsPort({ metricsListen }), expected, address);
  }
  assert.equal(closedMetricsPort({}), undefined);
});
