// Counters and logs of denials in the kernel: what counts, what survives a rebuild, and what a listener would get.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { createNftDriver } from '../../felix/driver/nftables.ts';
import { FIRST_GENERATION } from '../../felix/render/policy/generation.ts';
import { BASE_COUNTERS, POLICY_TABLE, ruleCounterNames } from '../../felix/render/policy/names.ts';
import { createPolicyRenderer } from '../../felix/render/policy/policy-renderer.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import type { CounterName } from '../../lib/nftables/ast.ts';
import { carryCounters } from '../../lib/nftables/carry-counters.ts';
import { openNftables } from '../../lib/nftables/nfnetlink.ts';
import { planChanges, planReplacement } from '../../lib/nftables/plan.ts';
import { printRuleset } from '../../lib/nftables/print.ts';
import { convertPolicy } from '../../policy/convert/policy.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import { podKey } from '../../policy/world.ts';
import { testNetns } from '../support/netns.ts';
import { createPipeline } from './pipeline.ts';
import { clusterPolicy, policy, world } from './world-builder.ts';

const deny = clusterPolicy('deny', {
  ingress: [
    { action: 'Pass', from: [{ pods: { podSelector: { matchLabels: { app: 'web' } } } }] },
    { action: 'Deny', from: [{ namespaces: {} }], protocols: [{ tcp: { destinationPort: { number: 80 } } }] },
  ],
});
const allow = policy('n/allow', { ingress: [{ ports: [{ port: 80 }] }] });
const given = world({ pods: { 'n/a': {}, 'n/b': { labels: { app: 'web' } } }, policies: [deny, allow] });

const open = async (t: TestContext): Promise<ReturnType<typeof openNftables>> => {
  const nft = inNetns((await testNetns(t, 'counters')).path, openNftables);
  t.after(nft.close);
  return nft;
};

describe('counters of the policy table', () => {
  test('there is one for each rule of the policies, and one for each end', () => {
    const { show, renderer } = createPipeline();
    show(given);
    const names = [...renderer.objects().values()].flatMap((one) => (one.kind === 'counter' ? [one.name] : []));
    const ofRule = ruleCounterNames(convertPolicy(deny).key, 'ingress');
    const wanted = [ofRule(0), ofRule(1), ruleCounterNames(convertPolicy(allow).key, 'ingress')(0)];
    assert.deepEqual(names.filter((name) => name.startsWith('c_')).toSorted(), wanted.toSorted());
    assert.deepEqual(
      names.filter((name) => /^d[ie]_/.test(name)).length,
      1,
      'the two pods share a profile, and egress is open',
    );
    show(world({ pods: {} }));
    assert.deepEqual(
      [...renderer.objects().values()].flatMap((one) => (one.kind === 'counter' ? [one.name] : [])).toSorted(),
      Object.values(BASE_COUNTERS).toSorted(),
    );
  });

  test('a replacement of the table starts them where they stood', async (t) => {
    const nft = await open(t);
    const { show, renderer } = createPipeline();
    show(given);
    const name = ruleCounterNames(convertPolicy(allow).key, 'ingress')(0);
    const big = { packets: 2n ** 40n + 7n, bytes: 2n ** 63n };
    const replacement = planReplacement({ table: POLICY_TABLE, objects: renderer.objects() });
    nft.commit(carryCounters(replacement, new Map([[name, big]])));
    assert.deepEqual(nft.counters(POLICY_TABLE.name).get(name), big);

    nft.commit(planChanges(POLICY_TABLE, show(world({ pods: { 'n/a': {}, 'n/b': {} }, policies: [deny, allow] }))));
    assert.deepEqual(nft.counters(POLICY_TABLE.name).get(name), big, 'after a change of the rules around it');

    createNftDriver(nft, POLICY_TABLE, 'off').replace(renderer.objects());
    assert.deepEqual(nft.counters(POLICY_TABLE.name).get(name), big, 'after a replacement by the driver');
    const gone = 'c_gone' as CounterName;
    nft.commit(carryCounters(replacement, new Map([[gone, big]])));
    assert.equal(nft.counters(POLICY_TABLE.name).has(gone), false);
    assert.deepEqual(nft.counters(POLICY_TABLE.name).get(name), { packets: 0n, bytes: 0n });
  });
});

describe('logs of denials', () => {
  const rendered = (logDenied: { readonly group: number; readonly ratePerSecond: number } | undefined) => {
    const model = createPolicyModel();
    const renderer = createPolicyRenderer({ generation: FIRST_GENERATION, ...(logDenied && { logDenied }) });
    for (const [name, labels] of given.namespaces) model.setNamespace(name, labels);
    for (const pod of given.pods) model.setPod(podKey(pod.namespace, pod.name), pod);
    for (const one of given.policies.map(convertPolicy)) model.setPolicy(one.key, one);
    const [pod] = given.pods;
    assert.ok(pod);
    model.setEndpoint(hostIfName('n', 'a'), { namespace: 'n', pod: pod.name, ips: pod.ips });
    renderer.apply(model.drain());
    return renderer.objects();
  };
  const textOf = (objects: ReturnType<typeof rendered>): string => printRuleset({ table: POLICY_TABLE, objects });

  test('are off unless asked for', () => assert.doesNotMatch(textOf(rendered(undefined)), /\blog\b/));

  test('stand before every drop of policy, and the kernel takes them', async (t) => {
    const objects = rendered({ group: 7, ratePerSecond: 20 });
    const logged = textOf(objects)
      .split('\n')
      .flatMap((line) => /limit rate 20\/second.* log prefix "(.*)" group 7/.exec(line)?.[1] ?? []);
    const [end] = logged.filter((prefix) => prefix.includes('profile'));
    assert.match(end ?? '', /^margay denied ingress: profile fi_[0-9a-f]{20} $/);
    assert.deepEqual(new Set(logged), new Set([end, 'margay denied ingress: ClusterNetworkPolicy/deny 1 ']));
    const nft = await open(t);
    nft.commit(planReplacement({ table: POLICY_TABLE, objects }));
    const sorted = (all: typeof objects): unknown => Object.fromEntries([...all].sort());
    assert.deepEqual(sorted(nft.dump(POLICY_TABLE.name)?.objects ?? new Map()), sorted(objects));
  });
});
