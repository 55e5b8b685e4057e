// Which version of the CNI specification the installed list is in. STATUS and GC exist since 1.1.0 only, every plugin of a
// list has to know its version, and a runtime that does not know it starts no pod. Pure.
import { type CniVersion, SUPPORTED_VERSIONS } from './spec.ts';

/** Keys of a network configuration list (CNI SPEC 1.1 §1). */
export type ListVersion = { readonly cniVersion: CniVersion; readonly cniVersions?: readonly CniVersion[] };

/**
 * `versions`: what each plugin of the list supports, by type. Where all know 1.1.0, the list says so in `cniVersions`:
 * runtimes older than that key (containerd 1.x) do not know that version either, and go by `cniVersion`.
 * @throws Error when there is none that all support, or when it is not `wanted`
 */
export function listVersion(versions: ReadonlyMap<string, readonly string[]>, wanted?: CniVersion): ListVersion {
  const common = SUPPORTED_VERSIONS.filter((version) => [...versions.values()].every((each) => each.includes(version)));
  const said = [...versions].map(([type, each]) => `${type} supports ${each.join(', ')}`).join('; ');
  if (wanted !== undefined) {
    if (common.includes(wanted)) return { cniVersion: wanted };
    throw new Error(`Cannot use CNI version "${wanted}": ${said}, expected one that every plugin of the list supports`);
  }
  const older = common.findLast((version) => version !== '1.1.0');
  const newest = common.at(-1);
  if (newest === undefined) throw new Error(`Cannot find a CNI version for the list: ${said}, expected one in common`);
  return older === undefined || older === newest ? { cniVersion: newest } : { cniVersion: older, cniVersions: common };
}
