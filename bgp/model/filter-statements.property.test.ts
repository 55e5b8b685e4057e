// A walk over the statements of a speaker says what BGPFilter says, for any rules and any path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BgpFilter, type BgpFilterRule, bgpFilterSchema } from '../../datastore/resources/bgp-filter.ts';
import { type Cidr, cidrContainsCidr, cidrFamily, cidrLength, cidrOf } from '../../lib/cidr.ts';
import { ipFromBigInt } from '../../lib/ip.ts';
import { asn, cidr, ip } from '../../test/support/bgp-world.ts';
import { type FilterContext, filterStatements } from './filter-statements.ts';
import { prefixRanges } from './prefix-ranges.ts';
import { type PolicyPath, walkPolicy } from './walk-policy.ts';

const CIDRS = ['0.0.0.0/0', '10.0.0.0/8', '10.128.0.0/9', '10.244.0.0/16', '10.244.6.0/23', '10.244.7.1/32'].map(cidr);
const SIX = ['::/0', 'fd00::/8', 'fd00:10:244::/48', 'fd00:10:244::7/128'].map(cidr);
const COMMUNITIES = ['64512:1', '64512:2', '64512:1:2'];
const OWN = 64512;

/** Seldom there: a rule of many conditions fits nothing. */
const seldom = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 4 }, { arbitrary: value, weight: 1 });
const LENGTHS = [0, 7, 8, 9, 15, 16, 17, 24, 32] as const;

function rules(family: 4 | 6) {
  const length = fc.constantFrom(...LENGTHS, ...(family === 4 ? [] : [48, 49, 128]));
  const prefix = fc.record({
    cidr: fc.constantFrom(...(family === 4 ? CIDRS : SIX)),
    matchOperator: fc.constantFrom('Equal', 'NotEqual', 'In', 'NotIn'),
    prefixLength: fc.option(
      fc.tuple(length, length).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
      { nil: undefined },
    ),
  });
  const operation = fc.oneof(
    fc.record({ addCommunity: fc.record({ value: fc.constantFrom(...COMMUNITIES) }) }),
    fc.record({
      prependASPath: fc.record({ prefix: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }) }),
    }),
    fc.record({ setPriority: fc.record({ value: fc.constantFrom(512, 1024) }) }),
  );
  const rest = fc.record({
    source: seldom(fc.constant('RemotePeers')),
    interface: seldom(fc.constant('eth*')),
    peerType: seldom(fc.constantFrom('eBGP', 'iBGP')),
    communities: seldom(fc.constantFrom(...COMMUNITIES).map((value) => ({ values: [value] }))),
    asPathPrefix: seldom(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 })),
    priority: seldom(fc.constantFrom(512, 1024)),
  });
  const action = fc.oneof(
    fc.record({ action: fc.constant('Reject') }),
    fc.record({
      action: fc.constant('Accept'),
      operations: fc.option(fc.array(operation, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    }),
  );
  return fc
    .tuple(fc.option(prefix, { nil: {} }), rest, action)
    .map((parts) => withoutHoles(Object.assign({}, ...parts)));
}

const withoutHoles = (value: object): object => JSON.parse(JSON.stringify(value));

const filters = fc
  .record({
    importV4: fc.array(rules(4), { maxLength: 3 }),
    exportV4: fc.array(rules(4), { maxLength: 3 }),
    importV6: fc.array(rules(6), { maxLength: 2 }),
    exportV6: fc.array(rules(6), { maxLength: 2 }),
  })
  .map(filterOf);

function filterOf(spec: object): BgpFilter {
  const metadata = { name: 'f' };
  return bgpFilterSchema.parse({ apiVersion: 'projectcalico.org/v3', kind: 'BGPFilter', metadata, spec });
}

// Around the CIDRs of the rules: parts of them, their neighbours, and what holds them.
const prefixes = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(0x0af40000, 0x0af40600, 0x0af40701, 0x0a800000, 0x0b000000),
      fc.nat(0x1ff),
      fc.constantFrom(...LENGTHS),
    )
    .map(([base, noise, length]) => cidrOf(ipFromBigInt(BigInt(base ^ noise), 4), length)),
  fc
    .tuple(fc.constantFrom('fd00:10:244::7', 'fd00::', 'fe00::1'), fc.nat(128))
    .map(([base, length]) => cidrOf(ip(base), length)),
);

const paths: fc.Arbitrary<PolicyPath> = fc
  .record({
    prefix: prefixes,
    origin: fc.constantFrom('local', 'internal', 'external'),
    communities: fc.subarray([OWN * 65_536 + 1, OWN * 65_536 + 2]),
    largeCommunities: fc.subarray([[OWN, 1, 2] as const]),
    asPath: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
  })
  .map(({ prefix, origin, asPath, ...rest }) => ({
    ...rest,
    prefix,
    nextHop: ip('198.51.100.2'),
    local: origin === 'local',
    ebgp: origin === 'external',
    asPath: origin === 'local' ? [] : asPath,
    localPref: 100,
    med: 0,
  }));

const contexts: fc.Arbitrary<FilterContext> = fc.record({
  direction: fc.constantFrom('import', 'export'),
  peerType: fc.constantFrom('eBGP', 'iBGP'),
  ownAsn: fc.constant(asn(OWN)),
  exported: fc.constantFrom(['local'] as const, ['local', 'internal'] as const),
});

type Outcome = { readonly action: string; readonly path?: PolicyPath };

/** The rules one after the other, as the API describes them; what is accepted comes as the peer would see it. */
function naive(filter: BgpFilter, path: PolicyPath, context: FilterContext): Outcome {
  const family = cidrFamily(path.prefix);
  for (const rule of filter.spec[`${context.direction}V${family}`] ?? []) {
    if (!fits(rule, path, context)) continue;
    if (rule.action === 'Reject') return { action: 'reject' };
    return { action: 'accept', path: operated(rule, path, context) };
  }
  return { action: 'default' };
}

function fits(rule: BgpFilterRule, path: PolicyPath, { direction, peerType, exported }: FilterContext): boolean {
  const source = path.local ? 'local' : path.ebgp ? 'external' : 'internal';
  if (rule.interface !== undefined && rule.action === 'Accept') return false;
  if (rule.peerType !== undefined && rule.peerType !== peerType) return false;
  if (rule.priority !== undefined && rule.priority !== 1024) return false;
  if (direction === 'export') {
    if (rule.source === 'RemotePeers' && source === 'local') return false;
    if (rule.source === undefined && rule.action === 'Accept' && !exported.includes(source)) return false;
  }
  const [community] = rule.communities?.values ?? [];
  const carried = [
    ...path.communities.map((value) => `${Math.floor(value / 65_536)}:${value % 65_536}`),
    ...(path.largeCommunities ?? []).map((value) => value.join(':')),
  ];
  if (community !== undefined && !carried.includes(community)) return false;
  if (!(rule.asPathPrefix ?? []).every((number, index) => path.asPath[index] === number)) return false;
  return prefixFits(rule, path.prefix);
}

function prefixFits({ cidr: of, matchOperator, prefixLength }: BgpFilterRule, prefix: Cidr): boolean {
  if (of === undefined) return true;
  const length = cidrLength(prefix);
  const positive =
    (matchOperator === 'In' || matchOperator === 'NotIn' ? cidrContainsCidr(of, prefix) : of === prefix) &&
    length >= (prefixLength?.min ?? 0) &&
    length <= (prefixLength?.max ?? 128);
  return positive === (matchOperator === 'In' || matchOperator === 'Equal');
}

function operated(rule: BgpFilterRule, path: PolicyPath, context: FilterContext): PolicyPath {
  let { communities, largeCommunities = [], asPath, localPref } = path;
  for (const { addCommunity, prependASPath, setPriority } of rule.operations ?? []) {
    const parts = (addCommunity?.value ?? '').split(':').map(Number);
    const [a = 0, b = 0, c] = parts;
    const value = a * 65_536 + b;
    if (addCommunity !== undefined && c === undefined && !communities.includes(value))
      communities = [...communities, value];
    if (c !== undefined && largeCommunities.length === 0) largeCommunities = [[a, b, c]];
    if (prependASPath !== undefined) asPath = [...prependASPath.prefix, ...asPath];
    if (setPriority !== undefined && !outside(context)) localPref = 2_147_483_647 - setPriority.value;
  }
  return { ...path, communities, largeCommunities, asPath, localPref };
}

const outside = ({ direction, peerType }: FilterContext): boolean => direction === 'export' && peerType === 'eBGP';

test('filterStatements() decide about a path as the rules of the filter do', () => {
  fc.assert(
    fc.property(filters, paths, contexts, (filter, path, context) => {
      // gobgpd puts its own AS number before the path, and then asks.
      const before = outside(context) ? [OWN] : [];
      const statements = filterStatements(filter, context);
      const seen = { ...path, asPath: [...before, ...path.asPath] };
      const verdict = walkPolicy({ statements, otherwise: 'accept' }, seen, undefined);
      const expected = naive(filter, path, context);
      assert.equal(verdict.by === undefined ? 'default' : verdict.action, expected.action);
      if (expected.path === undefined) return;
      const { asPath, ...rest } = verdict.path;
      const { asPath: wanted, ...others } = expected.path;
      assert.deepEqual({ ...rest, largeCommunities: rest.largeCommunities ?? [] }, others);
      // The peer finds our AS number first; where something was put between it and the path, it stands there again.
      const added = wanted.slice(0, wanted.length - path.asPath.length);
      const guard = before.length > 0 && added.length > 0 && added[0] !== OWN ? [OWN] : [];
      assert.deepEqual(asPath, [...guard, ...added, ...before, ...path.asPath]);
    }),
    { numRuns: 700 },
  );
});

const alone = fc
  .constantFrom(4 as const, 6 as const)
  .chain((family) => fc.record({ family: fc.constant(family), rule: rules(family), prefix: prefixes }));

test('prefixRanges() hold what the rule means, and each prefix once: a speaker may look at any that holds it', () => {
  fc.assert(
    fc.property(alone, ({ family, rule, prefix }) => {
      if (cidrFamily(prefix) !== family) return;
      const parsed = ruleOf(rule, family);
      const length = cidrLength(prefix);
      const holding = prefixRanges(parsed, family).filter(
        ({ cidr: of, min, max }) => min <= length && length <= max && cidrContainsCidr(of, prefix),
      );
      assert.equal(holding.length, prefixFits(parsed, prefix) ? 1 : 0);
    }),
    { numRuns: 1500 },
  );
});

function ruleOf(rule: object, family: 4 | 6): BgpFilterRule {
  const [parsed] = filterOf({ [`importV${family}`]: [rule] }).spec[`importV${family}`] ?? [];
  assert.ok(parsed);
  return parsed;
}
