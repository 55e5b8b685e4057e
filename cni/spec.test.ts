import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CniError } from './errors.ts';
import { type CniEnvironment, decodeFrame, encodeFrame } from './frame.ts';
import { parseRequest, versionForError } from './spec.ts';

const CONFIG = { cniVersion: '1.0.0', name: 'margay', type: 'margay' };
const ADD: CniEnvironment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'abc',
  CNI_NETNS: '/run/netns/x',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0.x;K8S_POD_UID=1-2',
};
const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

test('parseRequest() reads an ADD', () => {
  const request = parseRequest({ environment: ADD, stdin: bytes({ ...CONFIG, mtu: 1400, ipam: {}, args: [1] }) });
  assert.ok(request.kind === 'add');
  const { config, args, ...rest } = request;
  assert.equal(config.mtu, 1400);
  assert.equal(args.get('K8S_POD_UID'), '1-2');
  assert.deepEqual(rest, {
    kind: 'add',
    handle: 'margay.abc.eth0',
    containerId: 'abc',
    ifName: 'eth0',
    netns: '/run/netns/x',
    namespace: 'shop',
    pod: 'web-0.x',
    uid: '1-2',
  });
});

test('parseRequest() lets a DEL name no pod and no namespace', () => {
  const podName = (CNI_ARGS: string) => {
    const environment = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'abc', CNI_IFNAME: 'eth0', CNI_ARGS };
    const request = parseRequest({ environment, stdin: bytes(CONFIG) });
    assert.ok(request.kind === 'del');
    return request.podName;
  };
  for (const given of ['K8S_POD_NAME=../../x', 'K8S_POD_NAME=web', 'K8S_POD_NAMESPACE=;K8S_POD_NAME=']) {
    assert.equal(podName(given), undefined, given);
  }
  // No pod at all: it is the container's own.
  for (const given of ['', 'nonsense', '\n']) {
    assert.deepEqual(podName(given), { namespace: 'margay-containers', pod: 'abc' }, given);
  }
});

test('parseRequest() names a container that is no pod by its id', () => {
  for (const CNI_ARGS of [undefined, '', 'IgnoreUnknown=1;IP=10.244.0.7', 'K8S_POD_UID=1-2']) {
    const { CNI_ARGS: _, ...environment } = { ...ADD, CNI_CONTAINERID: 'Web_1.x' };
    const given = CNI_ARGS === undefined ? environment : { ...environment, CNI_ARGS };
    const request = parseRequest({ environment: given, stdin: bytes(CONFIG) });
    assert.ok(request.kind === 'add');
    const { namespace, pod, uid, handle } = request;
    assert.deepEqual([namespace, pod, uid], ['margay-containers', 'Web_1.x', undefined]);
    assert.equal(handle, 'margay.Web_1%2Ex.eth0');
  }
});

test('parseRequest() reads of a DEL only what it needs', () => {
  const environment = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'abc', CNI_IFNAME: 'eth0', CNI_ARGS: 'K8S_POD_NAME=X' };
  const wrong = { mtu: '1400', prevResult: null, runtimeConfig: { mac: 5 }, ipam: [], dns: 1, type: {} };
  for (const extra of [...Object.entries(wrong).map((entry) => Object.fromEntries([entry])), wrong]) {
    assert.deepEqual(parseRequest({ environment, stdin: bytes({ ...CONFIG, ...extra }) }), {
      kind: 'del',
      handle: 'margay.abc.eth0',
      containerId: 'abc',
      ifName: 'eth0',
    });
  }
  assert.throws(() => parseRequest({ environment, stdin: bytes({ ...CONFIG, name: 5 }) }), { code: 7 });
});

test('parseRequest() takes null for an empty list of a GC, and no list for a mistake', () => {
  const config = { ...CONFIG, cniVersion: '1.1.0', mtu: '1400' };
  const gc = (valid: unknown, key = 'cni.dev/valid-attachments') =>
    parseRequest({ environment: { CNI_COMMAND: 'GC' }, stdin: bytes({ ...config, [key]: valid }) });
  for (const empty of [null, []]) assert.deepEqual(gc(empty), { kind: 'gc', network: 'margay', valid: new Set() });
  const listed = gc([{ containerID: 'a', ifname: 'eth0' }]);
  assert.deepEqual(listed, { kind: 'gc', network: 'margay', valid: new Set(['margay.a.eth0']) });
  assert.deepEqual(gc([{ containerID: 'a', ifname: 'eth0' }], 'cni.dev/attachments'), listed);
  for (const wrong of [undefined, 'a', [null], [{ containerID: 'a' }]]) assert.throws(() => gc(wrong), { code: 7 });
  // Of as many as fit into a megabyte the first is told, and the others cost nothing.
  const message =
    'Cannot use the network configuration: ["cni.dev/valid-attachments"][1].ifname: is missing, expected a string';
  assert.throws(() => gc([{ containerID: 'a', ifname: 'eth0' }, { containerID: 'b' }, ...Array(100_000).fill(0)]), {
    message,
  });
});

test('parseRequest() refuses bad input with the number of the specification', async (t) => {
  const rows: readonly {
    name: string;
    environment?: { readonly [key in keyof CniEnvironment]: string | undefined };
    stdin?: unknown;
    expected: number;
    text: RegExp;
  }[] = [
    { name: 'command', environment: { CNI_COMMAND: 'EXPLODE' }, expected: 4, text: /CNI_COMMAND "EXPLODE"/ },
    { name: 'no id', environment: { CNI_CONTAINERID: undefined }, expected: 4, text: /CNI_CONTAINERID \(not set\)/ },
    { name: 'id with a path', environment: { CNI_CONTAINERID: '../x' }, expected: 4, text: /CNI_CONTAINERID/ },
    {
      name: 'id with a newline',
      environment: { CNI_CONTAINERID: 'a\nb' },
      expected: 4,
      text: /CNI_CONTAINERID "a\\nb"/,
    },
    { name: 'id of 300', environment: { CNI_CONTAINERID: 'a'.repeat(300) }, expected: 4, text: /at most 128/ },
    { name: 'id of dots', environment: { CNI_CONTAINERID: `a${'.'.repeat(127)}` }, expected: 4, text: /255 together/ },
    { name: 'interface of 16', environment: { CNI_IFNAME: 'a'.repeat(16) }, expected: 4, text: /CNI_IFNAME/ },
    { name: 'interface with a slash', environment: { CNI_IFNAME: 'a/b' }, expected: 4, text: /CNI_IFNAME/ },
    { name: 'interface that the kernel numbers', environment: { CNI_IFNAME: 'eth%d' }, expected: 4, text: /without %/ },
    { name: 'interface with a quote', environment: { CNI_IFNAME: 'a"b' }, expected: 4, text: /CNI_IFNAME "a\\"b"/ },
    { name: 'interface of all parameters', environment: { CNI_IFNAME: 'all' }, expected: 4, text: /CNI_IFNAME "all"/ },
    {
      name: 'namespace path with a NUL',
      environment: { CNI_NETNS: '/run/netns/x\0y' },
      expected: 4,
      text: /CNI_NETNS ".*x\\u0000y"/,
    },
    { name: 'no namespace path', environment: { CNI_NETNS: '' }, expected: 4, text: /CNI_NETNS ""/ },
    { name: 'no pod', environment: { CNI_ARGS: 'K8S_POD_NAMESPACE=x' }, expected: 4, text: /K8S_POD_NAME=NAME/ },
    {
      name: 'no pod name',
      environment: { CNI_ARGS: 'K8S_POD_NAMESPACE=x;K8S_POD_NAME=' },
      expected: 4,
      text: /CNI_ARGS/,
    },
    { name: 'no namespace', environment: { CNI_ARGS: 'K8S_POD_NAME=x' }, expected: 4, text: /K8S_POD_NAMESPACE=NAME/ },
    {
      name: 'a pod in the namespace of containers',
      environment: { CNI_ARGS: 'K8S_POD_NAMESPACE=margay-containers;K8S_POD_NAME=x' },
      expected: 4,
      text: /"margay-containers": it is for containers/,
    },
    {
      name: 'pod with a quote',
      environment: { CNI_ARGS: 'K8S_POD_NAMESPACE=x;K8S_POD_NAME="' },
      expected: 4,
      text: /CNI_ARGS/,
    },
    {
      name: 'addresses from elsewhere',
      stdin: { ...CONFIG, ipam: { type: 'host-local' } },
      expected: 2,
      text: /ipam\.type "host-local"/,
    },
    { name: 'empty', stdin: '', expected: 6, text: /0 bytes: it is not JSON/ },
    { name: 'cut off', stdin: '{"cniVersion":"1.0.0"', expected: 6, text: /not JSON/ },
    { name: 'NUL', stdin: '{"cniVersion":"1.0.0"}\0', expected: 6, text: /not JSON/ },
    { name: 'deep', stdin: '['.repeat(1 << 20), expected: 6, text: /not JSON/ },
    { name: 'a list', stdin: '[]', expected: 7, text: /configuration: is a list, expected an object$/ },
    {
      name: 'no version',
      stdin: { name: 'x', type: 'margay' },
      expected: 1,
      text: /cniVersion \(not set\): expected one of/,
    },
    { name: 'a version of the future', stdin: { ...CONFIG, cniVersion: '2.0.0' }, expected: 1, text: /"2\.0\.0"/ },
    { name: 'an old version', stdin: { ...CONFIG, cniVersion: '0.2.0' }, expected: 1, text: /"0\.2\.0"/ },
    {
      name: 'CHECK before its time',
      environment: { CNI_COMMAND: 'CHECK' },
      stdin: { ...CONFIG, cniVersion: '0.3.1' },
      expected: 1,
      text: /CHECK .* expected 0\.4\.0 or later/,
    },
    { name: 'GC before its time', environment: { CNI_COMMAND: 'GC' }, expected: 1, text: /expected 1\.1\.0 or later/ },
    { name: 'STATUS before its time', environment: { CNI_COMMAND: 'STATUS' }, expected: 1, text: /expected 1\.1\.0/ },
    { name: 'no name', stdin: { cniVersion: '1.0.0', type: 'margay' }, expected: 7, text: /name: / },
    {
      name: 'name with a slash',
      stdin: { ...CONFIG, name: 'a/b' },
      expected: 7,
      text: /: name: "a\/b", expected letters/,
    },
    {
      name: 'mtu',
      stdin: { ...CONFIG, mtu: 20 },
      expected: 7,
      text: /: mtu: 20 is out of range, expected 0, or 68 to 65535 bytes$/,
    },
    { name: 'mtu in quotes', stdin: { ...CONFIG, mtu: '1400' }, expected: 7, text: /: mtu: "1400", expected 0, or 68/ },
    { name: 'dns', stdin: { ...CONFIG, dns: [] }, expected: 7, text: /: dns: is a list, expected an object$/ },
    {
      name: 'long',
      stdin: { ...CONFIG, ipam: 'x'.repeat(1e5) },
      expected: 7,
      text: /: ipam: "x{200}", expected an object$/,
    },
    { name: 'not the first', stdin: { ...CONFIG, prevResult: {} }, expected: 7, text: /expected to be the first/ },
  ];
  for (const { name, environment = {}, stdin = CONFIG, expected, text } of rows) {
    await t.test(name, () => {
      const merged = Object.fromEntries(
        Object.entries({ ...ADD, ...environment }).filter(([, value]) => value !== undefined),
      );
      assert.throws(
        () => parseRequest({ environment: merged, stdin: bytes(stdin) }),
        (error) => error instanceof CniError && error.code === expected && text.test(error.message),
      );
    });
  }
});

test('parseRequest() refuses text that is not UTF-8', () => {
  assert.throws(() => parseRequest({ environment: ADD, stdin: Uint8Array.of(0x7b, 0xff, 0x7d) }), { code: 6 });
});

test('parseRequest() throws nothing but a CniError', () => {
  const text = fc.string({ unit: 'binary' });
  const environment = fc.record(
    {
      CNI_COMMAND: fc.oneof(fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS'), text),
      CNI_CONTAINERID: text,
      CNI_NETNS: text,
      CNI_IFNAME: text,
      CNI_ARGS: text,
    },
    { requiredKeys: [] },
  );
  const stdin = fc.oneof(
    fc.uint8Array(),
    fc.json().map(bytes),
    fc
      .record({ mtu: fc.anything(), prevResult: fc.anything(), dns: fc.anything() })
      .map((extra) => bytes({ ...CONFIG, ...extra })),
  );
  fc.assert(
    fc.property(environment, stdin, (env, input) => {
      try {
        parseRequest({ environment: env, stdin: input });
      } catch (error) {
        assert.ok(error instanceof CniError, String(error));
        assert.match(versionForError(input), /^\d\.\d\.\d$/);
      }
    }),
  );
});

test('decodeFrame() reads what encodeFrame() writes, in any pieces', () => {
  const name = fc.string({ unit: 'grapheme' });
  const names = { CNI_COMMAND: name, CNI_ARGS: name, CNI_PATH: name };
  const environment = fc.record(names, { requiredKeys: [], noNullPrototype: true });
  const frame = fc.record({ environment, stdin: fc.uint8Array() }, { noNullPrototype: true });
  fc.assert(
    fc.property(frame, fc.nat(), (given, cut) => {
      const encoded = encodeFrame(given);
      assert.deepEqual(decodeFrame(encoded), { kind: 'frame', frame: given });
      const have = cut % encoded.length;
      const incomplete = decodeFrame(encoded.subarray(0, have));
      assert.ok(incomplete.kind === 'incomplete');
      assert.ok(incomplete.atLeast > have && incomplete.atLeast <= encoded.length);
      assert.equal(decodeFrame(Uint8Array.of(...encoded, 0)).kind, 'invalid');
    }),
  );
});

test('decodeFrame() never throws and believes no length', () => {
  fc.assert(fc.property(fc.uint8Array(), (given) => decodeFrame(given) !== undefined));
  assert.deepEqual(decodeFrame(Buffer.from('MGY1\x7f\xff\xff\xff', 'latin1')), {
    kind: 'invalid',
    why: 'CNI_COMMAND has more than 65536 bytes',
  });
});
