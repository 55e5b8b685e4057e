// Prints a rule as nft(8) lists it. The statements are first brought into the form that a dump of the rule would have,
// so that `meta l4proto tcp th dport 80` is printed as `tcp dport 80`.
import type { MatchValue, Operand, Rule, Scalar, Statement } from './ast.ts';
import { decodeStatements } from './decode/rule.ts';
import { DEFAULT_BURST, provenBy, ruleExpressions } from './encode/rule.ts';
import { operandProtocols, operandType, type Protocols } from './operands.ts';
import { printSetValue } from './print-element.ts';
import { printVerdict } from './print-verdict.ts';
import { printScalar, quotable } from './value-types.ts';

/** @throws Error when the rule could not be encoded, or has a quote in a comment or log prefix */
export function printRule(rule: Rule): string {
  const { statements } = canonicalRule(rule);
  const parts: string[] = [];
  let known: Protocols = {};
  statements.forEach((statement, i) => {
    if (!isImplied(statement, statements.slice(i + 1))) parts.push(printStatement(statement, known));
    known = { ...known, ...provenBy(statement), ...fieldProtocols(statement) };
  });
  if (rule.comment !== undefined) parts.push(`comment "${quotable('comment', rule.comment)}"`);
  return parts.join(' ');
}

/**
 * The rule as a dump of it would be: implied protocol matches left out, values in one spelling and order. Two rules do
 * the same in the same way exactly when their canonical forms are equal. @throws Error when it cannot be encoded
 */
export function canonicalRule(rule: Rule): Rule {
  if (rule.statements.some(({ kind }) => kind === 'unknown')) return rule;
  const statements = decodeStatements(ruleExpressions(rule));
  return rule.comment === undefined ? { statements } : { statements, comment: rule.comment };
}

/** nft(8) leaves out a protocol match when a field behind it says the same. */
function isImplied(statement: Statement, later: readonly Statement[]): boolean {
  const [proven] = Object.entries(provenBy(statement));
  if (proven === undefined) return false;
  const [key, value] = proven;
  return later.some((next) => Object.entries(fieldProtocols(next)).some(([k, v]) => k === key && v === value));
}

function fieldProtocols(statement: Statement): Protocols {
  if (statement.kind === 'match') return operandProtocols(statement.left);
  if (statement.kind !== 'lookup' && statement.kind !== 'vmap') return {};
  return Object.assign({}, ...statement.key.map(operandProtocols)) as Protocols;
}

function printStatement(statement: Statement, known: Protocols): string {
  switch (statement.kind) {
    case 'match':
      return printMatch(statement.left, statement.op, statement.right);
    case 'lookup': {
      const key = statement.key.map(printOperand).join(' . ');
      return `${key} ${statement.op === 'in' ? '' : '!= '}@${statement.set}`;
    }
    case 'vmap':
      return `${statement.key.map(printOperand).join(' . ')} vmap @${statement.map}`;
    case 'verdict':
      return printVerdict(statement.verdict);
    case 'counter':
    case 'notrack':
      return statement.kind;
    case 'counter-ref':
      return `counter name "${statement.counter}"`;
    case 'log': {
      const group = statement.group === undefined ? '' : ` group ${statement.group}`;
      return `log prefix "${quotable('log prefix', statement.prefix)}"${group}`;
    }
    case 'limit': {
      const burst = statement.burst === DEFAULT_BURST ? '' : ` burst ${statement.burst} packets`;
      return `limit rate ${statement.rate}/${statement.per}${burst}`;
    }
    case 'reject':
      return `${statement.with === 'tcp reset' && known.l4proto !== 6 ? 'meta l4proto tcp ' : ''}reject with ${statement.with}`;
    case 'masquerade':
      return ['masquerade', ...(statement.flags.length === 0 ? [] : [statement.flags.join(',')])].join(' ');
    case 'snat':
    case 'dnat': {
      const address =
        statement.port === undefined || statement.family === 4 ? statement.address : `[${statement.address}]`;
      const port = statement.port === undefined ? '' : `:${statement.port}`;
      return `${statement.kind} ${statement.family === 4 ? 'ip' : 'ip6'} to ${address}${port}`;
    }
    case 'set-ct-mark':
      return `ct mark set ${printNewMark(statement.mask >>> 0, statement.value >>> 0)}`;
    case 'unknown':
      return `# unknown: ${statement.expression}`;
    default:
      return statement satisfies never;
  }
}

function printMatch(left: Operand, op: '==' | '!=', right: MatchValue): string {
  const type = operandType(left);
  const values: readonly Scalar[] = typeof right === 'object' && 'anyOf' in right ? right.anyOf : [right];
  const [value] = values;
  const flags = left.kind === 'ct' && left.key !== 'direction' && op === '==';
  // After a mask nft(8) spells the comparison out.
  const operator = op === '!=' ? '!= ' : left.kind === 'ct-mark' && left.mask >>> 0 !== 0xffffffff ? '== ' : '';
  const texts = values.map((scalar) => printSetValue(type, scalar));
  if (values.length === 1 && value !== undefined && left.kind === 'ct-mark' && highBits(left.mask) !== undefined) {
    // nft(8) takes a mask of high bits for a prefix.
    return `ct mark ${op === '!=' ? '!= ' : ''}${printScalar(type, value)}/${highBits(left.mask)}`;
  }
  if (values.length === 1 && value !== undefined) return `${printOperand(left)} ${operator}${printScalar(type, value)}`;
  return `${printOperand(left)} ${operator}${flags ? texts.join(',') : `{ ${texts.join(', ')} }`}`;
}

function printOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'meta':
      return operand.key === 'iifname' || operand.key === 'oifname' ? operand.key : `meta ${operand.key}`;
    case 'payload':
      return operand.field;
    case 'ct':
      return `ct ${operand.key}`;
    case 'ct-saddr':
      return `ct ${operand.direction} ${operand.family === 4 ? 'ip' : 'ip6'} saddr`;
    case 'ct-mark':
      return operand.mask >>> 0 === 0xffffffff ? 'ct mark' : `ct mark & ${printScalar('mark', operand.mask >>> 0)}`;
    case 'fib':
      return `fib ${operand.flags.join(' . ')} ${operand.result}`;
    default:
      return operand satisfies never;
  }
}

/** How many bits a mask has when they are the highest, and not all. */
function highBits(mask: number): number | undefined {
  const length = Math.clz32(~mask);
  return length > 0 && length < 32 && mask >>> 0 === (0xffffffff << (32 - length)) >>> 0 ? length : undefined;
}

/** The kernel has one masked exclusive-or; nft(8) reads it back as an "and" that also keeps the bits of the "or". */
function printNewMark(mask: number, value: number): string {
  if (mask === 0xffffffff) return printScalar('mark', value);
  const kept = (~mask | value) >>> 0;
  const and = kept === 0xffffffff ? '' : ` & ${printScalar('mark', kept)}`;
  return `ct mark${and}${value === 0 ? '' : ` | ${printScalar('mark', value)}`}`;
}
