// Packages that few need and nobody has to install: loaded when what they are for is asked for, with an error that
// names the package where it is missing.
import { WayleaveError } from './errors.js';

/**
 * The package as `load` imports it; loaded once, as every module.
 * @param what it is needed for, the beginning of a sentence: "this server relays datagrams only".
 * @throws WayleaveError `missing-package` naming it.
 */
export async function optionalPackage<T>(name: string, what: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new WayleaveError('missing-package', `${what}; to use it, install the package ${name}`, { cause });
  }
}
