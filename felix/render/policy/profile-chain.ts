// A profile as the chain that the dispatch leads to: its tiers in order, each a list of jumps to shared policy chains.
import type { Chain, Rule } from '../../../lib/nftables/ast.ts';
import type { ChainKey, PolicyChain, Profile, ProfileKey, ProfileTier } from '../../../policy/model/types.ts';
import { ENDPOINT_SETS, policyChainName, profileChainName, tierChainName } from './names.ts';
import { hasPass, renderMatches } from './policy-chain.ts';
import { accept, counter, drop, inSet, jump, meta, rule } from './statements.ts';

/** The chain of a profile, with the chains of those tiers that can be passed out of. */
export function renderProfile(
  key: ProfileKey,
  profile: Profile,
  chainOf: (key: ChainKey) => PolicyChain | undefined,
): readonly Chain[] {
  const { direction } = profile;
  const name = profileChainName(key, direction);
  if (profile.kind === 'closed') return [{ kind: 'chain', name, rules: [CLOSED] }];
  const chains: Chain[] = [];
  const rules: Rule[] = [];
  for (const { tier, chains: list } of profile.tiers) {
    if (tier.hairpin === 'exempt') rules.push(HAIRPIN);
    const body = tierRules({ tier, chains: list }, chainOf);
    if (list.some((one) => passes(one, chainOf))) {
      const own = tierChainName(key, direction, tier.name);
      chains.push({ kind: 'chain', name: own, rules: tier.end === 'deny' ? [...body, CLOSED] : body });
      rules.push(rule(jump(own)));
    } else {
      rules.push(...body);
      // Without a way to pass, nothing comes out of a tier that ends in deny.
      if (tier.end === 'deny') return [{ kind: 'chain', name, rules: [...rules, CLOSED] }, ...chains];
    }
  }
  return [{ kind: 'chain', name, rules: [...rules, rule(accept)] }, ...chains];
}

const CLOSED: Rule = rule(counter, drop);

/** A pod cannot be cut off from itself; a Service may lead its packets around to where they came from. */
const HAIRPIN: Rule = rule(inSet([meta('iifname'), meta('oifname')], ENDPOINT_SETS.hairpin), accept);

function tierRules({ chains }: ProfileTier, chainOf: (key: ChainKey) => PolicyChain | undefined): readonly Rule[] {
  return chains.flatMap((key) => {
    const chain = chainOf(key);
    return chain !== undefined && hasPass(chain) ? renderMatches(chain) : [rule(jump(policyChainName(key)))];
  });
}

function passes(key: ChainKey, chainOf: (key: ChainKey) => PolicyChain | undefined): boolean {
  const chain = chainOf(key);
  return chain !== undefined && hasPass(chain);
}
