import { createHash, createHmac } from 'node:crypto'

export interface Credentials {
  readonly accessKey: string
  readonly secretKey: string
  /** Of temporary credentials. */
  readonly sessionToken?: string
  readonly region: string
}

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'DELETE'
  /** With encoded path and query. */
  readonly url: URL
  readonly body: Uint8Array
}

/**
 * The headers that make a request ours: AWS Signature Version 4, with the payload signed as well, so that a body that
 * arrives changed is refused.
 *
 * @param now wall-clock time; servers refuse what is more than 15 minutes off
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function signedHeaders(request: S3Request, credentials: Credentials, now: Date): Record<string, string> {
  const time = now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '') // 20261120T193000Z
  const headers: Record<string, string> = {
    host: request.url.host,
    'x-amz-content-sha256': sha256(request.body),
    'x-amz-date': time,
    ...(credentials.sessionToken === undefined ? {} : { 'x-amz-security-token': credentials.sessionToken }),
  }
  const scope = `${time.slice(0, 8)}/${credentials.region}/s3/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical(request, headers))].join('\n')
  const signature = hmac(signingKey(credentials, time.slice(0, 8)), toSign).toString('hex')
  const names = Object.keys(headers).join(';')
  const { host: _host, ...sent } = headers
  const identity = `Credential=${credentials.accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return { ...sent, authorization: `AWS4-HMAC-SHA256 ${identity}` }
}

/** Header names are in order already; the query must be sorted by whoever made the URL. */
function canonical({ method, url }: S3Request, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}`)
  const names = Object.keys(headers).join(';')
  const query = url.search.slice(1)
  return [method, url.pathname, query, ...lines, '', names, headers['x-amz-content-sha256']].join('\n')
}

function signingKey({ secretKey, region }: Credentials, day: string): Buffer {
  return [day, region, 's3', 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretKey}`))
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
