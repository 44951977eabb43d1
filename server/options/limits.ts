import { InvalidOptionError } from '../../shared/errors.ts'
import { defaultLimits } from '../../shared/limits.ts'
import type { Limits } from '../../shared/limits.ts'

/**
 * All limits, those that are not given at their defaults. Zero and Infinity are what they say.
 *
 * @throws InvalidOptionError that names a limit there is not, or one that is no number of 0 or more
 */
export function completeLimits(given: Partial<Limits>): Limits {
  const limits = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [name, value] of limits) {
    const option = `limits.${name}`
    if (!(name in defaultLimits)) throw new InvalidOptionError(option, `There is no option ${option}.`)
    const isNumber = typeof value === 'number' && value >= 0 // NaN is not
    if (!isNumber) throw new InvalidOptionError(option, `The option ${option} must be a number of 0 or more.`)
  }
  return { ...defaultLimits, ...(Object.fromEntries(limits) as Partial<Limits>) }
}
