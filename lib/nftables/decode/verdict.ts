// Verdict codes to verdicts.
import type { ChainName, Verdict } from '../ast.ts';
import { VERDICT_CODE } from '../uapi.ts';

/** `undefined` for codes outside of the vocabulary, such as a queue. */
export function decodeVerdict(code: number, chain: string | undefined): Verdict | undefined {
  const target = chain as ChainName | undefined;
  switch (code) {
    case VERDICT_CODE.accept:
      return { kind: 'accept' };
    case VERDICT_CODE.drop:
      return { kind: 'drop' };
    case VERDICT_CODE.return:
      return { kind: 'return' };
    case VERDICT_CODE.continue:
      return { kind: 'continue' };
    case VERDICT_CODE.jump:
      return target && { kind: 'jump', chain: target };
    case VERDICT_CODE.goto:
      return target && { kind: 'goto', chain: target };
    default:
      return undefined;
  }
}
