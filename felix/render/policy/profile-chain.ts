// A profile as the chain that the dispatch leads to: its tiers in order, each a list of jumps to shared policy chains.
import type { Chain, Counter, Rule } from '../../../lib/nftables/ast.ts';
import type { ChainKey, PolicyChain, Profile, ProfileKey, ProfileTier } from '../../../policy/model/types.ts';
import { dropAll, type LogDenied } from './denials.ts';
import { dropCounterName, ENDPOINT_SETS, policyChainName, profileChainName, tierChainName } from './names.ts';
import { hasPass, renderMatches } from './policy-chain.ts';
import { accept, inSet, jump, meta, rule } from './statements.ts';

/** What rendering a profile needs besides the profile. */
export type ProfileContext = {
  readonly chainOf: (key: ChainKey) => PolicyChain | undefined;
  readonly logDenied: LogDenied | undefined;
};

/** Whether nothing in it can deny or count anything, so that it needs no chain. */
export const isOpenProfile = (profile: Profile): boolean => profile.kind === 'tiers' && profile.tiers.length === 0;

/**
 * The chain of a profile, with the chains of those tiers that can be passed out of, and the counter of its end. Nothing for
 * one that is open.
 */
export function renderProfile(
  key: ProfileKey,
  profile: Profile,
  context: ProfileContext,
): readonly (Chain | Counter)[] {
  if (isOpenProfile(profile)) return [];
  const { direction } = profile;
  const counter: Counter = { kind: 'counter', name: dropCounterName(key, direction) };
  const name = profileChainName(key, direction);
  const end = dropAll(counter.name, { logDenied: context.logDenied, direction, who: `profile ${name}` });
  if (profile.kind === 'closed') return [counter, { kind: 'chain', name, rules: end }];
  const chains: Chain[] = [];
  const rules: Rule[] = [];
  for (const { tier, chains: list } of profile.tiers) {
    const body = [...tierRules({ tier, chains: list }, context), ...(tier.hairpin === 'exempt' ? [HAIRPIN] : [])];
    if (list.some((one) => passes(one, context))) {
      const own = tierChainName(key, direction, tier.name);
      chains.push({ kind: 'chain', name: own, rules: tier.end === 'deny' ? [...body, ...end] : body });
      rules.push(rule(jump(own)));
    } else {
      rules.push(...body);
      // Without a way to pass, nothing comes out of a tier that ends in deny.
      if (tier.end === 'deny') return [counter, { kind: 'chain', name, rules: [...rules, ...end] }, ...chains];
    }
  }
  const open: Chain = { kind: 'chain', name, rules: [...rules, rule(accept)] };
  return chains.some((chain) => refersTo(chain, counter)) ? [counter, open, ...chains] : [open, ...chains];
}

const refersTo = ({ rules }: Chain, { name }: Counter): boolean =>
  rules.some(({ statements }) => statements.some((one) => one.kind === 'counter-ref' && one.counter === name));

/**
 * A pod cannot be cut off from itself; a Service may lead its packets around to where they came from. Policies of a tier
 * that exempts this only allow, so it is soon enough behind them, where what they allow need not ask.
 */
const HAIRPIN: Rule = rule(inSet([meta('iifname'), meta('oifname')], ENDPOINT_SETS.hairpin), accept);

function tierRules({ chains }: ProfileTier, { chainOf, logDenied }: ProfileContext): readonly Rule[] {
  return chains.flatMap((key) => {
    const chain = chainOf(key);
    return chain !== undefined && hasPass(chain) ? renderMatches(chain, logDenied) : [rule(jump(policyChainName(key)))];
  });
}

function passes(key: ChainKey, { chainOf }: ProfileContext): boolean {
  const chain = chainOf(key);
  return chain !== undefined && hasPass(chain);
}
