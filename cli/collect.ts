// An option that may be repeated.

/** Commander's parser for it: gathers the values in their order. */
export const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value];
