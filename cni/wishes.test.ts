import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CniError } from './errors.ts';
import { parseRequest } from './spec.ts';
import { type PodFacts, wishesOf } from './wishes.ts';

type Given = {
  readonly config?: object;
  readonly args?: string;
  readonly pod?: Readonly<Record<string, string>>;
  readonly namespace?: Readonly<Record<string, string>>;
};

test('wishesOf() takes the runtime before the pod, and the pod before its namespace', async (t) => {
  const nothing = { requested: [], pools: {}, ignored: [] };
  const rows: readonly { name: string; given: Given; expected: object }[] = [
    { name: 'nothing', given: {}, expected: nothing },
    {
      name: 'capability ips',
      given: { config: { runtimeConfig: { ips: ['10.244.1.5/24', 'FD00::5'] } }, pod: { ipAddrs: '["10.244.1.6"]' } },
      expected: { ...nothing, requested: ['10.244.1.5', 'fd00::5'] },
    },
    {
      name: 'args.cni.ips',
      given: { config: { args: { cni: { ips: ['10.244.1.5'] } } }, args: 'IP=10.244.1.7' },
      expected: { ...nothing, requested: ['10.244.1.5'] },
    },
    {
      name: 'CNI_ARGS',
      given: { args: 'IP=10.244.1.7;MAC=02:00:00:00:00:AA', pod: { hwAddr: '02:00:00:00:00:bb' } },
      expected: { ...nothing, requested: ['10.244.1.7'], mac: '02:00:00:00:00:aa' },
    },
    {
      name: 'empty CNI_ARGS',
      given: { args: 'IP=;MAC=', pod: { ipAddrs: '["10.244.1.6"]' } },
      expected: { ...nothing, requested: ['10.244.1.6'] },
    },
    {
      name: 'capability mac',
      given: { config: { runtimeConfig: { mac: '02:00:00:00:00:01' } }, args: 'MAC=02:00:00:00:00:aa' },
      expected: { ...nothing, mac: '02:00:00:00:00:01' },
    },
    {
      name: 'empty capabilities',
      given: { config: { runtimeConfig: { ips: [], mac: '' } }, pod: { hwAddr: '02:00:00:00:00:bb' } },
      expected: { ...nothing, mac: '02:00:00:00:00:bb' },
    },
    {
      name: 'pools',
      given: {
        pod: { ipv4pools: '["a"]' },
        namespace: { ipv4pools: '["b"]', ipv6pools: '["fd00::/64"]' },
        config: { ipam: { ipv4_pools: ['c'], ipv6_pools: ['d'] } },
      },
      expected: { ...nothing, pools: { 4: ['a'], 6: ['fd00::/64'] } },
    },
    {
      name: 'pools of the configuration',
      given: { config: { ipam: { ipv4_pools: ['c'] } } },
      expected: { ...nothing, pools: { 4: ['c'] } },
    },
    { name: 'families', given: { pod: { ipFamilies: '["IPv6"]' } }, expected: { ...nothing, families: [6] } },
    {
      name: 'addresses of the namespace are none of ours',
      given: { namespace: { ipAddrs: '["10.244.1.5"]', hwAddr: '02:00:00:00:00:bb', ipFamilies: '["IPv6"]' } },
      expected: nothing,
    },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, () => assert.deepEqual(wishes(given), expected));
  }
});

test('wishesOf() ignores annotations that are not valid, and says so', async (t) => {
  const rows: readonly { name: string; given: Readonly<Record<string, string>>; why: RegExp }[] = [
    { name: 'not JSON', given: { ipAddrs: '10.244.1.5' }, why: /ipAddrs" of the pod: not JSON, expected a list/ },
    { name: 'no list', given: { ipAddrs: '"10.244.1.5"' }, why: /expected array/ },
    { name: 'no addresses', given: { ipAddrs: '[]' }, why: /expected addresses/ },
    { name: 'no address', given: { ipAddrs: '["10.244.1.500"]' }, why: /Cannot parse/ },
    { name: 'two of a family', given: { ipAddrs: '["10.244.1.5","10.244.1.6"]' }, why: /one address per family/ },
    { name: 'a family of ours', given: { ipFamilies: '["IPv5"]' }, why: /ipFamilies/ },
    { name: 'a group', given: { hwAddr: '01:00:00:00:00:01' }, why: /the first one even/ },
    { name: 'zero', given: { hwAddr: '00:00:00:00:00:00' }, why: /all zero/ },
    { name: 'of the gateway', given: { hwAddr: 'EE:EE:EE:EE:EE:EE' }, why: /that of every pod's gateway/ },
    { name: 'pools', given: { ipv4pools: '{}' }, why: /ipv4pools/ },
    { name: 'huge', given: { ipv4pools: `["${'x'.repeat(5000)}"]` }, why: /ipv4pools/ },
  ];
  for (const { name, given, why } of rows) {
    await t.test(name, () => {
      const { ignored, ...rest } = wishes({ pod: given });
      assert.deepEqual(rest, { requested: [], pools: {} });
      assert.match(ignored[0] ?? '', why);
    });
  }
});

test('wishesOf() lets a pod name no address and no MAC where it shall not, and the runtime still', () => {
  const pod = { ipAddrs: '["10.244.1.5"]', hwAddr: '02:00:00:00:00:bb', ipFamilies: '["IPv6"]', ipv4pools: '["a"]' };
  const { ignored, ...rest } = wishes({ pod }, 'ignore');
  assert.deepEqual(rest, { requested: [], families: [6], pools: { 4: ['a'] } });
  assert.deepEqual(
    ignored.map((text) => /"cni\.projectcalico\.org\/(\w+)" of the pod: the agent has/.exec(text)?.[1]),
    ['hwAddr', 'ipAddrs'],
  );
  const args = 'IP=10.244.1.7;MAC=02:00:00:00:00:aa';
  const { requested, mac } = wishes({ pod, args }, 'ignore');
  assert.deepEqual([requested, mac], [['10.244.1.7'], '02:00:00:00:00:aa']);
});

test('wishesOf() refuses what the runtime says wrong', async (t) => {
  const rows: readonly { name: string; given: Given; code: number; text: RegExp }[] = [
    { name: 'ips', given: { config: { runtimeConfig: { ips: ['x'] } } }, code: 7, text: /runtimeConfig\.ips \["x"\]/ },
    {
      name: 'mac',
      given: { config: { runtimeConfig: { mac: 'ff:ff:ff:ff:ff:ff' } } },
      code: 7,
      text: /first one even/,
    },
    {
      name: "the gateway's MAC",
      given: { config: { runtimeConfig: { mac: 'ee:ee:ee:ee:ee:ee' } } },
      code: 7,
      text: /^Cannot use runtimeConfig\.mac "ee:ee:ee:ee:ee:ee": it is that of every pod's gateway, expected another$/,
    },
    { name: 'IP', given: { args: 'IP=a' }, code: 4, text: /IP of CNI_ARGS/ },
    { name: 'MAC', given: { args: 'MAC=a' }, code: 4, text: /MAC of CNI_ARGS "a"/ },
  ];
  for (const { name, given, code, text } of rows) {
    await t.test(name, () => {
      assert.throws(
        () => wishes(given),
        (error) => error instanceof CniError && error.code === code && text.test(error.message),
      );
    });
  }
});

test('wishesOf() never fails for an annotation', () => {
  const names = ['ipAddrs', 'ipv4pools', 'ipv6pools', 'hwAddr', 'ipFamilies'];
  const annotations = fc.dictionary(fc.constantFrom(...names), fc.oneof(fc.string(), fc.json()));
  fc.assert(fc.property(annotations, annotations, (pod, namespace) => void wishes({ pod, namespace })));
});

function wishes({ config = {}, args = '', pod = {}, namespace = {} }: Given, policy?: 'ignore') {
  const prefixed = (given: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(given).map(([name, value]) => [`cni.projectcalico.org/${name}`, value]));
  const facts: PodFacts = { podAnnotations: prefixed(pod), namespaceAnnotations: prefixed(namespace) };
  const request = parseRequest({
    environment: {
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'abc',
      CNI_NETNS: '/run/netns/x',
      CNI_IFNAME: 'eth0',
      CNI_ARGS: `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;${args}`,
    },
    stdin: new TextEncoder().encode(JSON.stringify({ cniVersion: '1.0.0', name: 'margay', type: 'margay', ...config })),
  });
  assert.ok(request.kind === 'add');
  return wishesOf(request, facts, policy);
}
