import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ip } from '../lib/ip.ts';
import { closedMetricsPort, readConfig } from './config.ts';

const good = { node: 'node1', datastore: { kind: 'embedded', path: '/var/lib/margay/datastore.db' } };

test('readConfig() names the file, and each wrong field with what is expected', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'margay-config-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'node.json');
  const read = (text: string): unknown => {
    writeFileSync(path, text);
    return readConfig(path);
  };
  assert.deepEqual(read(JSON.stringify(good)), {
    ...good,
    ...{ runDirectory: '/run/margay', stateDirectory: '/var/lib/margay' },
    ...{ tableOwner: 'auto', podAddressRequests: 'honour' },
  });
  const rows = [
    { text: '{', why: 'not JSON, expected an object' },
    { text: '[]', why: 'is a list, expected an object' },
    { text: '{"node": "node1"}', why: 'datastore: is missing, expected an object' },
    { text: JSON.stringify({ ...good, mtu: 1500 }), why: '"mtu" is no key that is known' },
    {
      text: JSON.stringify({ ...good, runDirectory: 'run', mtuBytes: 900 }),
      why: 'runDirectory: "run", expected an absolute path; mtuBytes: 900 is out of range, expected at least 1280',
    },
  ];
  for (const { text, why } of rows) {
    assert.throws(() => read(text), { message: `Cannot read configuration "${path}": ${why}` });
  }
  assert.throws(() => readConfig(join(directory, 'none.json')), {
    message: /^Cannot read configuration ".*none\.json": ENOENT.*, expected a JSON file/,
  });
});

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
