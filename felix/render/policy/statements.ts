// Short forms of the statements that the layout is made of.
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

export const meta = (key: 'iifname' | 'oifname' | 'l4proto' | 'nfproto'): Operand => ({ kind: 'meta', key });

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

export const rule = (...statements: readonly Statement[]): Rule => ({ statements });
