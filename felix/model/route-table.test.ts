// What the table wants is a matter of the present inputs alone, whatever came and went before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RibPath } from '../../bgp/model/types.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { hostIfName, type IfName } from '../../lib/linux/if-name.ts';
import { unwrap } from '../../lib/result.ts';
import { createRouteTable } from './route-table.ts';

const cidr = (text: string): Cidr => unwrap(parseCidr(text));
const ip = (text: string) => unwrap(parseIp(text));
const PEER = ip('198.51.100.12');
const OTHER = ip('198.51.100.13');
const LINKS = [hostIfName('shop', 'web'), hostIfName('shop', 'db')] as const;
/** Single addresses are blocks, pods, destinations of other nodes and of `reachableBy`, one after the other. */
const SINGLE = ['10.244.9.1/32', '10.244.9.2/32', 'fd00:10:244::1/128'].map(cidr);
const WIDE = ['10.244.1.0/24', '10.244.2.0/24'].map(cidr);

const path = (prefix: Cidr): RibPath => ({
  ...{ prefix, nextHop: prefix.includes(':') ? ip('fd00:198::12') : PEER, from: PEER, local: false, stale: false },
  ...{ asPath: [], asPathLength: 0, localPref: 100, med: 0, origin: 0, communities: [], ebgp: false },
});

type Inputs = {
  readonly blocks: readonly Cidr[];
  readonly endpoints: ReadonlyMap<Cidr, IfName>;
  readonly statics: readonly Cidr[];
  readonly rib: ReadonlySet<Cidr>;
};
const NOTHING: Inputs = { blocks: [], endpoints: new Map(), statics: [], rib: new Set() };

function tableOf(first: Inputs) {
  let now = first;
  const table = createRouteTable({
    blocks: () => now.blocks,
    pools: () => ['10.244.0.0/16', 'fd00:10:244::/48'].map(cidr),
    nodeAddresses: () => [],
    serviceRanges: () => [],
    imports: () => new Map(),
    endpoints: () => now.endpoints,
    // Two peers may be reached at one destination by different gateways.
    statics: () => [PEER, OTHER].flatMap((gateway) => now.statics.map((dst) => ({ dst, gateway }))),
  });
  table.ribBack();
  table.settle();
  table.setRib([...first.rib].map(path));
  return {
    give: (step: Step): void => {
      now = after(now, step);
      if (step.kind === 'blocks' || step.kind === 'statics') table.contextChanged();
      else if (step.kind === 'endpoint') table.endpointsChanged(new Map([[step.dst, step.ifName]]));
      else if (step.kind === 'rib') table.patchRib(new Map([[step.dst, step.is ? [path(step.dst)] : []]]));
    },
    inputs: () => now,
    look: () => Object.fromEntries([...table.routes().entries()].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

type Step =
  | { readonly kind: 'blocks' | 'statics'; readonly cidrs: readonly Cidr[] }
  | { readonly kind: 'endpoint'; readonly dst: Cidr; readonly ifName: IfName | undefined }
  | { readonly kind: 'rib'; readonly dst: Cidr; readonly is: boolean }
  | { readonly kind: 'look' };

function after(now: Inputs, step: Step): Inputs {
  switch (step.kind) {
    case 'blocks':
    case 'statics':
      return { ...now, [step.kind]: step.cidrs };
    case 'endpoint': {
      const others = [...now.endpoints].filter(([dst]) => dst !== step.dst);
      return { ...now, endpoints: new Map(step.ifName === undefined ? others : [...others, [step.dst, step.ifName]]) };
    }
    case 'rib': {
      const others = [...now.rib].filter((dst) => dst !== step.dst);
      return { ...now, rib: new Set(step.is ? [...others, step.dst] : others) };
    }
    case 'look':
      return now;
    default:
      return step satisfies never;
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('blocks' as const), cidrs: fc.subarray([...SINGLE, ...WIDE]) }),
  fc.record({ kind: fc.constant('statics' as const), cidrs: fc.subarray(SINGLE) }),
  fc.record({
    kind: fc.constant('endpoint' as const),
    dst: fc.constantFrom(...SINGLE),
    ifName: fc.constantFrom(undefined, ...LINKS),
  }),
  fc.record({ kind: fc.constant('rib' as const), dst: fc.constantFrom(...SINGLE, ...WIDE), is: fc.boolean() }),
  fc.constant({ kind: 'look' as const }),
);

test('routes after any history are those of a table that hears the final inputs alone', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const table = tableOf(NOTHING);
      for (const each of steps) {
        table.give(each);
        if (each.kind === 'look') table.look();
      }
      assert.deepEqual(table.look(), tableOf(table.inputs()).look());
    }),
    { numRuns: Number(process.env['MARGAY_RUNS'] ?? 2000) },
  );
});

test('a block of one address is a blackhole again when its pod is gone', () => {
  const table = tableOf(NOTHING);
  for (const dst of SINGLE.slice(1)) {
    table.give({ kind: 'blocks', cidrs: [dst] });
    assert.deepEqual(table.look(), { [dst]: { kind: 'blackhole', dst } });
    table.give({ kind: 'endpoint', dst, ifName: LINKS[0] });
    assert.deepEqual(table.look(), { [dst]: { kind: 'endpoint', dst, ifName: LINKS[0] } });
    table.give({ kind: 'endpoint', dst, ifName: undefined });
    assert.deepEqual(table.look(), { [dst]: { kind: 'blackhole', dst } });
  }
});
