// Follows one packet through the base chains of a hook, as the kernel would, over the plain data: for tests and for
// explaining a verdict. It knows what it evaluates and throws on everything else; it never guesses.
import type { Chain, ChainName, Hook, NftObject, Rule, Ruleset, Verdict } from './ast.ts';
import { nftKey } from './ast.ts';
import type { SetIndex } from './walk-sets.ts';
import { createStatementWalker, type PacketState, type WalkPacket } from './walk-statement.ts';

export type { WalkPacket } from './walk-statement.ts';

/** A rule all of whose statements applied. */
export type WalkStep = { readonly chain: ChainName; readonly index: number; readonly rule: Rule };

export type WalkResult = {
  readonly verdict: 'accept' | 'drop' | 'reject';
  /** The flow's conntrack mark afterwards. */
  readonly ctMark: number;
  readonly path: readonly WalkStep[];
};

/** NFT_JUMP_STACK_SIZE of the kernel. */
const MAX_DEPTH = 16;

/**
 * The verdict over all base chains at `hook` in order of priority; `accept` when there is none.
 * @throws Error on statements outside of its knowledge, missing chains and sets, and jumps too deep
 */
export function walk(ruleset: Ruleset, hook: Hook['hook'], packet: WalkPacket): WalkResult {
  return createWalker(ruleset)(hook, packet);
}

/** As `walk`, for many packets over one ruleset: its sets are indexed once, unless `sets` looks into them. */
export function createWalker(
  { objects }: Pick<Ruleset, 'objects'>,
  sets?: SetIndex,
): (hook: Hook['hook'], packet: WalkPacket) => WalkResult {
  const evaluate = createStatementWalker(objects, sets);
  const chains = [...objects.values()].filter((object: NftObject): object is Chain => object.kind === 'chain');
  const atHooks = new Map<Hook['hook'], ReturnType<typeof baseChains>>();

  return (hook, packet) => {
    const path: WalkStep[] = [];
    const state: PacketState = { packet, ctMark: packet.ctMark >>> 0, ctState: packet.ctState };

    const chainNamed = (name: ChainName): Chain => {
      const chain = objects.get(nftKey({ kind: 'chain', name, rules: [] }));
      if (chain?.kind !== 'chain')
        throw new Error(`Cannot walk to chain "${name}": is absent, expected it in the table`);
      return chain;
    };

    /** `undefined`: the end was reached or `return`. */
    const run = (chain: Chain, depth: number): 'accept' | 'drop' | 'reject' | undefined => {
      if (depth > MAX_DEPTH)
        throw new Error(`Cannot walk into chain "${chain.name}": jumps are deeper than ${MAX_DEPTH}`);
      for (const [index, rule] of chain.rules.entries()) {
        const verdict = runRule(rule);
        if (verdict === 'no match') continue;
        path.push({ chain: chain.name, index, rule });
        if (verdict === 'reject') return verdict;
        if (verdict === undefined) continue;
        const outcome = follow(verdict, depth);
        if (outcome === 'next rule') continue;
        return outcome;
      }
      return undefined;
    };

    const runRule = (rule: Rule): Verdict | 'reject' | 'no match' | undefined => {
      for (const statement of rule.statements) {
        const outcome = evaluate(statement, state);
        if (outcome.kind === 'no match') return 'no match';
        if (outcome.kind === 'reject') return 'reject';
        if (outcome.kind === 'verdict' && outcome.verdict.kind !== 'continue') return outcome.verdict;
      }
      return undefined;
    };

    const follow = (verdict: Verdict, depth: number): 'accept' | 'drop' | 'reject' | undefined | 'next rule' => {
      switch (verdict.kind) {
        case 'accept':
        case 'drop':
          return verdict.kind;
        case 'return':
          return undefined;
        case 'continue':
          return 'next rule';
        case 'jump':
          return run(chainNamed(verdict.chain), depth + 1) ?? 'next rule';
        case 'goto':
          return run(chainNamed(verdict.chain), depth);
        default:
          return verdict satisfies never;
      }
    };

    const atHook = atHooks.get(hook) ?? baseChains(chains, hook);
    atHooks.set(hook, atHook);
    for (const { chain, policy } of atHook) {
      const verdict = run(chain, 0) ?? policy;
      if (verdict !== 'accept') return { verdict, ctMark: state.ctMark, path };
    }
    return { verdict: 'accept', ctMark: state.ctMark, path };
  };
}

function baseChains(chains: readonly Chain[], hook: Hook['hook']) {
  return chains
    .flatMap((chain) => (chain.hook?.hook === hook ? [{ chain, ...chain.hook }] : []))
    .sort((a, b) => a.priority - b.priority);
}
