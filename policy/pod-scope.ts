// A selection of pods: which namespaces, and which pods in them. Subjects of policies and pod peers are both of this
// form, and its key is the identity of the address sets that are shared between policies.
import { ALL, type Labels, type Selector, selectorMatches } from './selector.ts';

/** One namespace by name, or all those whose labels match. */
export type NamespaceScope =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'selector'; readonly selector: Selector };

export type PodScope = { readonly namespaces: NamespaceScope; readonly pods: Selector };

/** Every pod of every namespace. */
export const ALL_PODS: PodScope = { namespaces: { kind: 'selector', selector: ALL }, pods: ALL };

/** The label that the API server gives to each namespace (KEP-2161). */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** Canonical text: equal for equal selections. */
export function scopeKey({ namespaces, pods }: PodScope): string {
  return `${namespaces.kind === 'name' ? `=${namespaces.name}` : `~${namespaces.selector.text}`}|${pods.text}`;
}

/** Labels of a namespace as selectors see them: `kubernetes.io/metadata.name` is there even if nobody wrote it. */
export const namespaceLabels = (name: string, labels: Labels): Labels => ({ ...labels, [NAME_LABEL]: name });

/**
 * Whether a scope holds a namespace. `labels` come from `namespaceLabels`; `undefined` means that the namespace is not
 * known (yet), and then only its name and the selector of all namespaces match: `NotIn` must not hold by ignorance.
 */
export function namespaceInScope(scope: NamespaceScope, name: string, labels: Labels | undefined): boolean {
  if (scope.kind === 'name') return scope.name === name;
  return scope.selector.requirements.length === 0 || (labels !== undefined && selectorMatches(scope.selector, labels));
}

/** Whether a scope holds a pod with these labels in that namespace. */
export function podInScope(
  scope: PodScope,
  pod: { readonly namespace: string; readonly labels: Labels },
  labelsOfNamespace: Labels | undefined,
): boolean {
  return (
    namespaceInScope(scope.namespaces, pod.namespace, labelsOfNamespace) && selectorMatches(scope.pods, pod.labels)
  );
}
