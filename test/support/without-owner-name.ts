// Listings of nft that are compared as text.

/**
 * A listing of nft without the name of the program that owns a table. nft looks the owner's socket up in /proc/net/netlink,
 * where a reader misses lines while others open and close sockets, and prints `(null)` then.
 */
export const withoutOwnerName = (listing: string): string => listing.replaceAll(/ progname \S+/g, '');
