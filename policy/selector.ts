// Label selectors in canonical form: the same selection always has the same text, however it was written, so that the
// text is its identity wherever selections are shared.
import type { LabelSelector } from '../datastore/resources/metadata.ts';

/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>;

/** One condition on a label. `not-in` and `absent` hold also when the label is missing. */
export type Requirement =
  | { readonly operator: 'in' | 'not-in'; readonly key: string; readonly values: readonly string[] }
  | { readonly operator: 'exists' | 'absent'; readonly key: string };

/** All requirements hold; none: everything is selected. `text` is the canonical form and the identity. */
export type Selector = { readonly text: string; readonly requirements: readonly Requirement[] };

/** Selects everything. */
export const ALL: Selector = { text: '', requirements: [] };

/**
 * Canonical form of a Kubernetes LabelSelector. Absent counts as empty; where "absent" means something else to a
 * field, its reader decides before. An operator that we do not know makes a selector that matches nothing.
 */
export function selectorOf(selector: LabelSelector | undefined): Selector {
  const requirements: TextedRequirement[] = [];
  const { matchLabels, matchExpressions } = selector ?? {};
  if (matchLabels !== undefined) {
    for (const key of Object.keys(matchLabels)) {
      requirements.push(texted({ operator: 'in', key, values: [matchLabels[key] ?? ''] }));
    }
  }
  if (matchExpressions !== undefined) {
    for (const expression of matchExpressions) requirements.push(texted(requirementOf(expression)));
  }
  const [first] = requirements;
  if (first === undefined) return ALL;
  if (requirements.length === 1) return { text: first.text, requirements: [first.requirement] };
  const unique = new Map(requirements.map(({ text, requirement }) => [text, requirement]));
  const texts = [...unique.keys()].sort();
  return { text: texts.join(','), requirements: texts.flatMap((text) => unique.get(text) ?? []) };
}

type TextedRequirement = { readonly text: string; readonly requirement: Requirement };

const texted = (requirement: Requirement): TextedRequirement => ({ text: requirementText(requirement), requirement });

/** Whether an object with these labels is selected. */
export function selectorMatches(selector: Selector, labels: Labels): boolean {
  for (const requirement of selector.requirements) if (!requirementHolds(requirement, labels)) return false;
  return true;
}

function requirementHolds(requirement: Requirement, labels: Labels): boolean {
  // Labels such as "constructor" are legal, so inherited properties must not count.
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case 'in':
      return value !== undefined && requirement.values.includes(value);
    case 'not-in':
      return value === undefined || !requirement.values.includes(value);
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    default:
      return requirement satisfies never;
  }
}

function requirementOf(expression: NonNullable<LabelSelector['matchExpressions']>[number]): Requirement {
  const { key } = expression;
  switch (expression.operator) {
    case 'In':
      return { operator: 'in', key, values: canonicalValues(expression.values) };
    case 'NotIn':
      return { operator: 'not-in', key, values: canonicalValues(expression.values) };
    case 'Exists':
      return { operator: 'exists', key };
    case 'DoesNotExist':
      return { operator: 'absent', key };
    default:
      expression satisfies never;
      return { operator: 'in', key, values: [] };
  }
}

const canonicalValues = (values: readonly string[]): readonly string[] => [...new Set(values)].sort();

// Keys and values of labels hold neither blanks nor quotes, so the text is unambiguous; the empty value is one too.
function requirementText(requirement: Requirement): string {
  const { operator, key } = requirement;
  if (!('values' in requirement)) return `${key} ${operator}`;
  return `${key} ${operator} (${requirement.values.map((value) => `"${value}"`).join(' ')})`;
}
