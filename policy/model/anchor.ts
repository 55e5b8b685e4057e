// Anchors: for each selector a few keys of which an object must carry one to be selected, so that an index can find the
// candidates without trying every selector on every object.
import type { NamespaceScope } from '../pod-scope.ts';
import type { Labels, Selector } from '../selector.ts';

/** The anchor of selectors that say nothing an index could use. */
export const ANY = '*';

/** Anchors of a selector; an object that it selects carries at least one. Empty: it selects nothing. */
export function selectorAnchors({ requirements }: Selector): readonly string[] {
  let best: readonly string[] | undefined;
  for (const requirement of requirements) {
    if (requirement.operator === 'in' && (best === undefined || requirement.values.length < best.length)) {
      best = requirement.values.map((value) => labelAnchor(requirement.key, value));
    }
  }
  if (best !== undefined) return best;
  const exists = requirements.find(({ operator }) => operator === 'exists');
  return [exists?.key ?? ANY];
}

/** Anchors of a namespace scope, to be met by `namespaceCarries`. */
export const scopeAnchors = (scope: NamespaceScope): readonly string[] =>
  scope.kind === 'name' ? [`=${scope.name}`] : selectorAnchors(scope.selector);

/** The anchors that an object with these labels carries. */
export function labelsCarry(labels: Labels): readonly string[] {
  const anchors = [ANY];
  for (const [key, value] of Object.entries(labels)) anchors.push(key, labelAnchor(key, value));
  return anchors;
}

/** The anchors that a namespace carries; `labels` undefined: not known. */
export const namespaceCarries = (name: string, labels: Labels | undefined): readonly string[] => [
  `=${name}`,
  ...labelsCarry(labels ?? {}),
];

// A label key holds no "=", does not start with one, and is not "*", so the forms of anchors never meet.
const labelAnchor = (key: string, value: string): string => `${key}=${value}`;
