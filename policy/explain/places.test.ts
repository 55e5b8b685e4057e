import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ip } from '../../lib/ip.ts';
import { type PodFacts, podKey } from '../world.ts';
import { createPlaces, declaredPort } from './places.ts';

const pod = (name: string, ips: readonly string[], part: Partial<PodFacts> = {}): PodFacts => ({
  namespace: 'shop',
  name,
  labels: {},
  ips: ips as readonly Ip[],
  ports: [],
  node: 'node1',
  hostNetwork: false,
  finished: false,
  ...part,
});

const web = pod('web', ['10.244.1.2', 'fd00:10:244:1::2'], { ports: [{ name: 'http', protocol: 'tcp', port: 8080 }] });
const db = pod('db', ['fd00:10:244:2::2'], { node: 'node2' });
const done = pod('done', ['10.244.1.2'], { finished: true });
const host = pod('host', ['198.51.100.12'], { hostNetwork: true, node: 'node2' });
const places = createPlaces({
  pods: [done, web, db, host],
  nodes: new Map([['node1', ['198.51.100.11' as Ip]]]),
});
const key = (name: string) => ({ pod: podKey('shop', name) });
const ip = (text: string) => ({ ip: text as Ip });

test('resolve() finds a family that both ends have', () => {
  const rows = [
    {
      name: 'IPv4 first',
      given: places.resolve(key('web'), ip('203.0.113.1')),
      expected: ['10.244.1.2', '203.0.113.1'],
    },
    {
      name: 'else IPv6',
      given: places.resolve(key('web'), key('db')),
      expected: ['fd00:10:244:1::2', 'fd00:10:244:2::2'],
    },
    {
      name: 'as asked',
      given: places.resolve(key('web'), key('web'), 6),
      expected: ['fd00:10:244:1::2', 'fd00:10:244:1::2'],
    },
    { name: 'none', given: places.resolve(key('db'), ip('10.244.1.2')), expected: undefined },
    { name: 'finished', given: places.resolve(key('done'), key('web')), expected: undefined },
    { name: 'unknown', given: places.resolve(key('nobody'), key('web')), expected: undefined },
  ];
  for (const { name, given, expected } of rows) {
    assert.deepEqual(given && [given.from.ip, given.to.ip], expected, name);
  }
});

test('an address is that of the pod which owns it', () => {
  const resolved = places.resolve(ip('10.244.1.2'), ip('198.51.100.12'));
  assert.equal(resolved?.from.pod, web);
  assert.equal(resolved?.to.pod, undefined, 'pods in the network of their node own nothing');
  assert.equal(places.resolve(key('host'), key('web'))?.from.pod, undefined);
  assert.equal(places.pod(podKey('shop', 'done')), done);
});

test('isOwnNode() knows addresses of nodes and of pods in their network', () => {
  assert.equal(places.isOwnNode(web, '198.51.100.11' as Ip), true);
  assert.equal(places.isOwnNode(web, '198.51.100.12' as Ip), false);
  assert.equal(places.isOwnNode(db, '198.51.100.12' as Ip), true);
});

test('declaredPort() looks at name and protocol', () => {
  assert.equal(declaredPort(web, 'http', 'tcp')?.port, 8080);
  assert.equal(declaredPort(web, 'http', undefined)?.port, 8080);
  assert.equal(declaredPort(web, 'http', 'udp'), undefined);
  assert.equal(declaredPort(undefined, 'http', 'tcp'), undefined);
});
