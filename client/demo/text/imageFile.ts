/** The longer side of a picture in a document, in pixels: twice the width of the paper. */
const MAX_SIDE = 1_600
/** Bytes of a picture in a document, before base64. Everybody who opens the document loads them all. */
const MAX_BYTES = 300 * 1024
/** Bytes of a file that is looked at at all. */
const MAX_FILE_BYTES = 20 * 1024 * 1024
/** What is tried, in this order, until a picture is small enough. */
const TRIALS = [
  { scale: 1, quality: 0.85 },
  { scale: 1, quality: 0.6 },
  { scale: 0.6, quality: 0.7 },
  { scale: 0.4, quality: 0.6 },
] as const
const NEVER_REDRAWN = /^image\/gif$/

/** The limits above, in words. */
export const PICTURE_LIMIT = 'Pictures up to 20 MB; each is made smaller until it takes at most 300 kB in the document.'

/** A picture that cannot be taken; the message is for the reader. */
export class PictureError extends Error {
  override readonly name = 'PictureError'
}

/**
 * A file as a data address of at most `MAX_BYTES`.
 *
 * @throws PictureError
 */
export async function readPicture(file: File): Promise<string> {
  if (!file.type.startsWith('image/')) throw new PictureError(`“${file.name}” is not a picture.`)
  if (file.size > MAX_FILE_BYTES) throw new PictureError(`“${file.name}” is larger than 20 MB.`)
  if (NEVER_REDRAWN.test(file.type)) return keepMoving(file)
  const bitmap = await createImageBitmap(file).catch((error: unknown) => {
    throw new PictureError(`“${file.name}” cannot be read as a picture.`, { cause: error })
  })
  try {
    for (const trial of TRIALS) {
      const blob = await draw(bitmap, trial)
      if (blob.size <= MAX_BYTES) return await toDataAddress(blob)
    }
  } finally {
    bitmap.close()
  }
  throw new PictureError(`“${file.name}” does not get below 300 kB.`)
}

/** Drawing an animation again would keep its first frame only. */
function keepMoving(file: File): Promise<string> {
  if (file.size > MAX_BYTES) throw new PictureError(`“${file.name}” is an animation larger than 300 kB.`)
  return toDataAddress(file)
}

function draw(bitmap: ImageBitmap, { scale, quality }: { scale: number; quality: number }): Promise<Blob> {
  const shrink = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height)) * scale
  const width = Math.max(1, Math.round(bitmap.width * shrink))
  const height = Math.max(1, Math.round(bitmap.height * shrink))
  const canvas = new OffscreenCanvas(width, height)
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, width, height)
  return canvas.convertToBlob({ type: 'image/webp', quality })
}

function toDataAddress(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.addEventListener('load', () => resolve(reader.result as string))
    reader.addEventListener('error', () =>
      reject(new PictureError('The picture cannot be read.', { cause: reader.error })),
    )
    reader.readAsDataURL(blob)
  })
}
