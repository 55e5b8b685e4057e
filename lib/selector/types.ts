// Selectors in Calico's grammar, as a tree. The same language selects nodes, namespaces and endpoints.

export type Labels = Readonly<Record<string, string>>;

export type Selector =
  | { readonly kind: 'all' }
  /** Objects outside of every namespace. */
  | { readonly kind: 'global' }
  | { readonly kind: 'has'; readonly key: string }
  | { readonly kind: Comparison; readonly key: string; readonly value: string }
  /** `values` are sorted and distinct. */
  | { readonly kind: 'in' | 'not-in'; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: 'not'; readonly inner: Selector }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Selector[] };

export type Comparison = 'equal' | 'not-equal' | 'contains' | 'starts-with' | 'ends-with';
