import { InvalidOptionError } from '../../../../shared/errors.ts'
import { describeUrl } from '../describeUrl.ts'
import { MAX_PREFIX_LENGTH } from './keys.ts'
import type { Credentials } from './signature.ts'

/** Where parts are kept and as whom. */
export interface S3Address {
  /** `https://host:port`, without a slash at the end. */
  readonly endpoint: string
  readonly bucket: string
  /** What all keys begin with: '' or a path that ends with a slash. */
  readonly prefix: string
  readonly credentials: Credentials
  /** The address without the secret. */
  readonly description: string
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * `s3://key:secret@host:port/bucket/prefix?region=eu-central-1`, `s3+http://` without TLS; slashes in a secret are %2F. The
 * bucket is named in the path, which every store understands. Without key and secret those of AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; without a region AWS_REGION, or us-east-1, as most stores have it.
 *
 * @throws InvalidOptionError
 */
export function parseAddress(text: string, environment: Environment): S3Address {
  const url = new URL(text)
  const [bucket = '', ...folders] = url.pathname.split('/').filter((part) => part !== '')
  const prefix = folders.map((folder) => `${folder}/`).join('')
  if (!/^[a-z\d][a-z\d.-]{1,61}[a-z\d]$/.test(bucket)) throw invalid('must name a bucket: s3://key:secret@host/bucket')
  if (!/^[\w./-]*$/.test(prefix) || prefix.length > MAX_PREFIX_LENGTH) {
    throw invalid(`has a prefix that is too long, or holds something else than letters, digits and ". _ -"`)
  }
  const scheme = url.protocol === 's3+http:' ? 'http' : 'https'
  return {
    endpoint: `${scheme}://${url.host}`,
    bucket,
    prefix,
    credentials: credentialsOf(url, environment),
    description: describeUrl(text),
  }
}

function credentialsOf(url: URL, environment: Environment): Credentials {
  const region = url.searchParams.get('region') ?? environment['AWS_REGION'] ?? 'us-east-1'
  if (url.username !== '' && url.password !== '') {
    return { accessKey: decodeURIComponent(url.username), secretKey: decodeURIComponent(url.password), region }
  }
  const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_SESSION_TOKEN: token } = environment
  if (accessKey === undefined || secretKey === undefined) {
    throw invalid('needs a key and a secret: in the address, or in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  }
  return { accessKey, secretKey, region, ...(token === undefined ? {} : { sessionToken: token }) }
}

function invalid(what: string): InvalidOptionError {
  return new InvalidOptionError('archive', `The address of the archive (--archive) ${what}.`)
}
