// Nominal types over plain values: two branded types never mix, and at run time nothing is added.

declare const brand: unique symbol;

/** `T` that only the parser of `Name` may produce. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
