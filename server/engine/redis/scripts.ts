import { createHash } from 'node:crypto'

/** A Lua script, named by the hash under which Redis remembers it. */
export interface Script {
  readonly source: string
  readonly hash: string
}

/**
 * Bytes of one value, a snapshot or an update, that come in one reply; the rest is asked for piece by piece. All documents
 * of a node share one connection: a reply that takes long keeps their answers waiting, and one that took longer than the
 * time limit (a document of 8 MB over a link of 1 MB/s) could never be read.
 */
const PIECE_BYTES = 512 * 1024
/** Bytes of updates after which a reading stops; what is left is read by the next one. */
const MAX_READ_BYTES = 1024 * 1024

/**
 * Every script keeps one document, and leaves it whole: Redis runs it as one step, and writes all it did as one piece.
 * KEYS: 1 log, 2 meta. A reply of -DAMAGED says that something is missing that cannot be missing.
 *
 * meta.head  cursor of the last entry             meta.base  cursor of the last entry the snapshot contains
 * meta.prev  base of the generation before; entries from this one (included) on are kept
 * meta.snapshot, meta.name
 * meta.archive  references of the parts that belong to the document, when it is in the archive; the snapshot is there then
 * meta.spent    references of parts that were part of it once
 * meta.removed  by itself: the document has just been removed
 * meta.held     by itself: Redis has lost the document, and a node that holds it is about to put it back
 */
function script(source: string): Script {
  const whole = `${common}\n${source}`
  return { source: whole, hash: createHash('sha1').update(whole).digest('hex') }
}

/** Numbers are written by %.0f: Lua's own way would make 1.7e+12 of an epoch. */
const common = `
local headless = 'DAMAGED there are entries, but not what they belong to'
local function place(cursor)
  local epoch, append, sequence = string.match(cursor, '^(%d+)%.(.+)%-(%d+)$')
  return tonumber(epoch), tonumber(sequence), append
end
local function streamId(epoch, sequence) return string.format('%.0f-%.0f', epoch, sequence) end
local function entryAt(cursor)
  local epoch, sequence, append = place(cursor)
  local id = streamId(epoch, sequence)
  -- Where a generation ends may not be an entry any more, but nothing before it is missing.
  local ends = redis.call('HMGET', KEYS[2], 'base', 'prev')
  if cursor == ends[1] or cursor == ends[2] then return id end
  local found = redis.call('XRANGE', KEYS[1], id, id)
  if #found == 1 and found[1][2][2] == append then return id end
  return nil
end
-- What of a value fits into one reply, and how many bytes there are.
local function cut(value) return string.sub(value, 1, ${String(PIECE_BYTES)}), #value end
-- Adds id, name of the append, update and its bytes of each entry; returns whether there are more.
local function read(from, reply)
  local bytes = 0
  repeat
    local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 16)
    for _, entry in ipairs(page) do
      local update, length = cut(entry[2][4])
      for _, field in ipairs({entry[1], entry[2][2], update, length}) do reply[#reply + 1] = field end
      bytes = bytes + #update
      if bytes >= ${String(MAX_READ_BYTES)} then return '1' end
      from = '(' .. entry[1]
    end
  until #page < 16
  return '0'
end
local function spend(archive, spent)
  redis.call('HSET', KEYS[2], 'spent', spent and (spent .. ' ' .. archive) or archive)
  redis.call('HDEL', KEYS[2], 'archive')
end`

/**
 * Appends and tells the others. ARGV: 1 channel, 2 name of the append, 3 update, 4 the last cursor the node knows or '',
 * 5 name of the document, 6 '1' when that has just been put into the list of names, 7 '1' when the node listens itself: if
 * nobody else does, nothing is said (most documents are on one node, and its echo was half of what an append cost it; a
 * listener that is counted here and is not ours misses it until it looks by itself). Replies with the cursor and the one
 * before it; nothing was done, and the reply is nil, when the document is new and its name not yet in the list.
 *
 * A node that knows more than there is has seen a past that was lost: a new epoch keeps its cursors apart from the new
 * ones at once.
 */
export const appendScript = script(`
local head = redis.call('HGET', KEYS[2], 'head')
local epoch, sequence
local raise = false
if head then
  epoch, sequence = place(head)
  sequence = sequence + 1
else
  if ARGV[6] ~= '1' then return false end
  if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply(headless) end
  redis.call('UNLINK', KEYS[2])
  redis.call('HSET', KEYS[2], 'name', ARGV[5])
  epoch, sequence, raise = 0, 1, true
end
if ARGV[4] ~= '' and ARGV[4] ~= head then
  local knownEpoch, knownSequence = place(ARGV[4])
  if knownEpoch > epoch or (knownEpoch == epoch and knownSequence >= sequence - 1) then
    epoch, raise = math.max(epoch, knownEpoch), true
  end
end
if raise then
  local time = redis.call('TIME')
  epoch = math.max(epoch + 1, tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
  sequence = 1
end
local id = streamId(epoch, sequence)
local cursor = string.format('%.0f.%s-%.0f', epoch, ARGV[2], sequence)
redis.call('XADD', KEYS[1], id, 'a', ARGV[2], 'u', ARGV[3])
redis.call('HSET', KEYS[2], 'head', cursor)
head = head or ''
local listeners = ARGV[7] == '1' and redis.pcall('PUBSUB', 'SHARDNUMSUB', ARGV[1])[2]
if listeners ~= 1 then
  -- The entry is written: whatever happens to the message, this must not look like a failure. The sweep finds the entry.
  redis.pcall('SPUBLISH', ARGV[1], string.char(1, 1, #cursor) .. cursor .. string.char(#head) .. head .. ARGV[3])
end
return {cursor, head}`)

/**
 * What came after ARGV[1], a cursor or '' for the beginning. Replies with '1' or '0', whether there is more, then the entries
 * (see `read`); nil when the cursor's entry is not in the log (any more).
 */
export const followScript = script(`
local head = redis.call('HGET', KEYS[2], 'head') or ''
if head == ARGV[1] then return {'0'} end
local from = '-'
if ARGV[1] ~= '' then
  local id = head ~= '' and entryAt(ARGV[1])
  if not id then return false end
  from = '(' .. id
elseif redis.call('HEXISTS', KEYS[2], 'prev') == 1 then
  return false
end
local reply = {'0'}
reply[1] = read(from, reply)
return reply`)

/**
 * Whether this user may do what documents need; replies with the first command that is forbidden, or ''. ARGV: 1 channel,
 * 2 key of the list of names.
 */
export const rightsScript = script(`
local needed = {
  {'XADD', KEYS[1], '*', 'a', ''}, {'XRANGE', KEYS[1], '-', '+'}, {'XREVRANGE', KEYS[1], '+', '-'},
  {'XTRIM', KEYS[1], 'MINID', '0'}, {'UNLINK', KEYS[1], KEYS[2]}, {'EXISTS', KEYS[1]}, {'PEXPIRE', KEYS[2], '1'},
  {'HSET', KEYS[2], 'a', ''}, {'HGET', KEYS[2], 'a'}, {'HMGET', KEYS[2], 'a'}, {'HDEL', KEYS[2], 'a'}, {'TIME'},
  {'ZADD', ARGV[2], '0', 'a'}, {'ZREM', ARGV[2], 'a'}, {'ZRANGEBYLEX', ARGV[2], '-', '+'},
  {'SPUBLISH', ARGV[1], ''}, {'SSUBSCRIBE', ARGV[1]}, {'SUNSUBSCRIBE', ARGV[1]}, {'PUBSUB', 'SHARDNUMSUB', ARGV[1]}
}
for _, command in ipairs(needed) do
  if not redis.acl_check_cmd(unpack(command)) then return command[1] end
end
return ''`)

/**
 * The document as it is: name, head, base, snapshot and its bytes, archive, spent, '1' or '0' for more entries, then those
 * after base (see `read`). An empty reply: there is none. A text: 'removed', a moment ago; 'held', see above; 'asked':
 * there is none, but other nodes follow it. They have been told to look, and who holds it says so within moments.
 * ARGV: 1 channel, or '' when nobody is to be asked, 2 what is said there.
 */
export const loadScript = script(`
local meta = redis.call('HMGET', KEYS[2], 'name', 'head', 'base', 'snapshot', 'archive', 'spent')
local head, base = meta[2], meta[3]
if not head then
  if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply(headless) end
  local mark = redis.call('HMGET', KEYS[2], 'removed', 'held')
  if mark[1] then return 'removed' end
  if mark[2] then return 'held' end
  local listeners = ARGV[1] ~= '' and redis.pcall('PUBSUB', 'SHARDNUMSUB', ARGV[1])[2] or 0
  if listeners == 0 then return {} end
  redis.pcall('SPUBLISH', ARGV[1], ARGV[2])
  return 'asked'
end
local from = '-'
if base then from = '(' .. streamId(place(base)) end
local last = redis.call('XREVRANGE', KEYS[1], '+', from, 'COUNT', 1)[1]
local epoch, sequence = place(head)
if (last and last[1] ~= streamId(epoch, sequence)) or (not last and base ~= head) then
  return redis.error_reply('DAMAGED the log does not end where it should')
end
if base and not meta[4] and not meta[5] then return redis.error_reply('DAMAGED the snapshot is missing') end
local snapshot, length = false, 0
if meta[4] then snapshot, length = cut(meta[4]) end
local reply = {meta[1], head, base, snapshot, length, meta[5], meta[6], '0'}
reply[8] = read(from, reply)
return reply`)

/**
 * Another piece of a value. ARGV: 1 '' for the snapshot, or the id of an entry, 2 the base of the snapshot, or the name of
 * the append, 3 where the piece begins. Nil: that is not what is there any more.
 */
export const pieceScript = script(`
local value
if ARGV[1] == '' then
  local meta = redis.call('HMGET', KEYS[2], 'base', 'snapshot')
  if meta[1] == ARGV[2] then value = meta[2] end
else
  local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
  if #found == 1 and found[1][2][2] == ARGV[2] then value = found[1][2][4] end
end
local from = tonumber(ARGV[3])
return value and string.sub(value, from + 1, from + ${String(PIECE_BYTES)})`)

/**
 * ARGV: 1 base or '', 2 up to, 3 snapshot. Replies with 1, or 0 when nothing was changed. Whoever compacts has loaded what
 * is in the archive: the snapshot contains it.
 */
export const compactScript = script(`
local meta = redis.call('HMGET', KEYS[2], 'head', 'base', 'archive', 'spent')
local base = meta[2] or ''
if not meta[1] or base ~= ARGV[1] then return 0 end
if base == ARGV[2] then return 1 end
if base ~= '' then
  local baseEpoch, baseSequence = place(base)
  local epoch, sequence = place(ARGV[2])
  if epoch < baseEpoch or (epoch == baseEpoch and sequence < baseSequence) then return 0 end
end
if not entryAt(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], 'base', ARGV[2], 'snapshot', ARGV[3])
if meta[3] then spend(meta[3], meta[4]) end
if base ~= '' then
  redis.call('HSET', KEYS[2], 'prev', base)
  redis.call('XTRIM', KEYS[1], 'MINID', '=', streamId(place(base)))
end
return 1`)

/** Says that a node holds what Redis has lost, for ARGV[1] milliseconds. Replies with 1, or 0 when it is there. */
export const holdScript = script(`
local there = redis.call('HMGET', KEYS[2], 'head', 'removed')
if there[1] or there[2] then return 0 end
redis.call('HSET', KEYS[2], 'held', '1')
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1`)

/**
 * ARGV: 1 channel, 2 what is said there, 3 milliseconds for which it is remembered that the document was removed; 0: not.
 * Nobody may find it in the archive while it is being removed there.
 */
export const removeScript = script(`
redis.call('UNLINK', KEYS[1], KEYS[2])
if ARGV[3] ~= '0' then
  redis.call('HSET', KEYS[2], 'removed', '1')
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
redis.pcall('SPUBLISH', ARGV[1], ARGV[2])
return 1`)

/**
 * Whether the document is cold: nothing has touched it for ARGV[2] seconds, nobody follows it (ARGV[1] is its channel), and
 * there is something to be moved to the archive. Replies with 1 or 0.
 */
export const coldScript = script(`
local idle = redis.call('OBJECT', 'IDLETIME', KEYS[2])
if not idle or idle < tonumber(ARGV[2]) then return 0 end
if redis.call('PUBSUB', 'SHARDNUMSUB', ARGV[1])[2] > 0 then return 0 end
if redis.call('HEXISTS', KEYS[2], 'archive') == 1 and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return 1`)

/**
 * Leaves of the document what finds it again. ARGV: 1 channel, 2 head of what is in the archive, 3 its reference, 4 the
 * spent parts as they were loaded. Replies with 1, or 0 when nothing was changed: it has been used meanwhile.
 */
export const retireScript = script(`
local meta = redis.call('HMGET', KEYS[2], 'head', 'archive', 'spent')
if meta[1] ~= ARGV[2] or (meta[3] or '') ~= ARGV[4] then return 0 end
if redis.call('PUBSUB', 'SHARDNUMSUB', ARGV[1])[2] > 0 then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('HDEL', KEYS[2], 'snapshot')
if meta[2] then spend(meta[2], meta[3]) end
redis.call('HSET', KEYS[2], 'base', ARGV[2], 'prev', ARGV[2], 'archive', ARGV[3])
return 1`)

/** Forgets those spent parts (ARGV[1]) that have been dropped; others may have been spent meanwhile. */
export const forgetScript = script(`
local kept = {}
for reference in string.gmatch(redis.call('HGET', KEYS[2], 'spent') or '', '%S+') do
  if not string.find(' ' .. ARGV[1] .. ' ', ' ' .. reference .. ' ', 1, true) then kept[#kept + 1] = reference end
end
if #kept == 0 then redis.call('HDEL', KEYS[2], 'spent')
else redis.call('HSET', KEYS[2], 'spent', table.concat(kept, ' ')) end
return 1`)

/**
 * Names other parts. ARGV: 1 those that are named now, 2 all that the archive has. Replies with 1, or 0 when nothing was
 * changed: others are named meanwhile.
 */
export const renameScript = script(`
if redis.call('HGET', KEYS[2], 'archive') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'archive', ARGV[2])
redis.call('HDEL', KEYS[2], 'spent')
return 1`)

/**
 * Makes a document known again that only the archive has. ARGV: 1 name, 2 references, 3 name of the append that this stands
 * for. Replies with 1, or 0 when it is known.
 */
export const adoptScript = script(`
local there = redis.call('HMGET', KEYS[2], 'head', 'removed')
if there[1] or there[2] or redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('UNLINK', KEYS[2])
local time = redis.call('TIME')
local epoch = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local cursor = string.format('%.0f.%s-1', epoch, ARGV[3])
redis.call('HSET', KEYS[2], 'name', ARGV[1], 'head', cursor, 'base', cursor, 'prev', cursor, 'archive', ARGV[2])
return 1`)

export const scripts: readonly Script[] = [
  appendScript,
  rightsScript,
  holdScript,
  followScript,
  loadScript,
  pieceScript,
  compactScript,
  removeScript,
  coldScript,
  retireScript,
  forgetScript,
  renameScript,
  adoptScript,
]
