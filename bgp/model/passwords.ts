// TCP MD5 passwords out of Secrets. One that cannot be found closes the session: it never comes up without.
import { SECRET_NAMESPACE, type Secret, secretText } from '../../datastore/resources/secret.ts';
import { err, ok } from '../../lib/result.ts';
import type { PasswordOf } from './desired-peer.ts';

/** Linux takes no more (include/uapi/linux/tcp.h TCP_MD5SIG_MAXKEYLEN). */
const MAX_BYTES = 80;

export function createPasswords(secrets: readonly Secret[]): PasswordOf {
  const byName = new Map(
    secrets
      .filter(({ metadata }) => metadata.namespace === SECRET_NAMESPACE)
      .map((secret) => [secret.metadata.name, secret]),
  );
  return ({ password }) => {
    if (password === undefined) return ok(undefined);
    const { name, key } = password.secretKeyRef;
    const secret = byName.get(name);
    const where = `Secret "${SECRET_NAMESPACE}/${name}"`;
    if (secret === undefined) return err(`there is no ${where}, expected one with the password under key "${key}"`);
    const text = secretText(secret, key);
    if (text === undefined) return err(`${where} has no key "${key}", expected the password there`);
    const bytes = new TextEncoder().encode(text).length;
    if (bytes >= 1 && bytes <= MAX_BYTES) return ok(text);
    return err(`key "${key}" of ${where} has ${bytes} bytes, expected a password of 1 to ${MAX_BYTES}`);
  };
}
