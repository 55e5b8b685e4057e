// The one change contract between the datastore, the models and the drivers.

/** A key and its present value; `undefined` means absent, deleted or invalid. */
export type Change<K, V> = { readonly key: K; readonly value: V | undefined };
