// Short forms of the statements that the layout is made of.
import { IF_PREFIX } from '../../../lib/linux/if-name.ts';
import type {
  ChainName,
  CounterName,
  MatchValue,
  Operand,
  Rule,
  SetName,
  Statement,
  Verdict,
} from '../../../lib/nftables/ast.ts';
import { GENERATION_MASK } from './generation.ts';

export const meta = (key: 'iifname' | 'oifname' | 'l4proto' | 'nfproto'): Operand => ({ kind: 'meta', key });

export const ct = (key: 'state' | 'direction' | 'status'): Operand => ({ kind: 'ct', key });

/** The part of the conntrack mark that holds the generation. */
export const MARK: Operand = { kind: 'ct-mark', mask: GENERATION_MASK };

export const iif = meta('iifname');
export const oif = meta('oifname');
/** Matches the interfaces of all pods. */
export const PODS = `${IF_PREFIX}*`;

export const payload = (field: Extract<Operand, { kind: 'payload' }>['field']): Operand => ({ kind: 'payload', field });

export const is = (left: Operand, right: MatchValue): Statement => ({ kind: 'match', left, op: '==', right });

export const isNot = (left: Operand, right: MatchValue): Statement => ({ kind: 'match', left, op: '!=', right });

export const inSet = (key: readonly Operand[], set: SetName): Statement => ({ kind: 'lookup', key, op: 'in', set });

export const notInSet = (key: readonly Operand[], set: SetName): Statement => ({
  kind: 'lookup',
  key,
  op: 'not in',
  set,
});

const verdict = (value: Verdict): Statement => ({ kind: 'verdict', verdict: value });

export const accept: Statement = verdict({ kind: 'accept' });
export const drop: Statement = verdict({ kind: 'drop' });
export const back: Statement = verdict({ kind: 'return' });
export const countedBy = (counter: CounterName): Statement => ({ kind: 'counter-ref', counter });
export const jump = (chain: ChainName): Statement => verdict({ kind: 'jump', chain });
export const goto = (chain: ChainName): Statement => verdict({ kind: 'goto', chain });

export const rule = (...statements: readonly Statement[]): Rule => ({ statements });
