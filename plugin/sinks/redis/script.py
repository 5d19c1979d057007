"""The script that adds a batch's entries to a stream, all or none, and each once.

A pipeline of XADD would not do: when one of its commands is refused (out of memory, a slot that moves) and a later one
is taken, the ids of the stream have passed the first, and no retry could tell it from an entry that is there already.
A script is refused as a whole. It also sends what all entries of a container share but once.

An entry's id is ``<journal's birth in ms>-<position>``. Positions, where records end in the journal, never decrease; so
a record whose position the stream has passed is there already. Several records may share one position, such as lines
that lack their last part: from the second on they have the next free id, and the field ``offset`` tells whether they
are there.
"""

import hashlib

SCRIPT = b"""
local key, birth, ours = KEYS[1], ARGV[1], ARGV[3] == '1'
local most, count = tonumber(ARGV[2]), tonumber(ARGV[5])
local fixed = {unpack(ARGV, 6, 5 + count)}
local last, added, behind, seen, oldest = -1, 0, nil, nil, nil

local function number(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

if ours then
  local info = redis.pcall('XINFO', 'STREAM', key)
  if info.err and not string.find(info.err, 'no such key') then return info end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local ms, sequence = number(info[i + 1])
      if ms > tonumber(birth) then
        return redis.error_reply('PEAVEYFOREIGN ' .. info[i + 1])
      end
      if ms == tonumber(birth) then last = sequence end
    end
  end
end

-- Whether the record at an offset, whose position the stream has passed, is in it. Looks once, from the first such on.
local function is_there(position, offset)
  if not seen then
    seen = {}
    local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
    if first then
      local ms, sequence = number(first[1])
      oldest = ms < tonumber(birth) and -1 or sequence
    end
    for _, entry in ipairs(redis.call('XRANGE', key, birth .. '-' .. position, '+', 'COUNT', 20000)) do
      for i = 1, #entry[2], 2 do
        if entry[2][i] == 'offset' then seen[entry[2][i + 1]] = true end
      end
    end
  end
  -- What is older than all that the stream has was trimmed or deleted.
  return seen[offset] or not oldest or tonumber(position) < oldest
end

local i = 6 + count
while i <= #ARGV do
  local position, offset, time, kind = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local line, level, fields = ARGV[i + 4], nil, nil
  i = i + 5
  if kind == 'O' or kind == 'E' then
    level, fields = ARGV[i], ARGV[i + 1]
    i = i + 2
  end
  local id = '*'
  local wanted = true
  if ours then
    local place = tonumber(position)
    if place > last then
      last = place
      id = birth .. '-' .. position
    elseif is_there(position, offset) then
      wanted = false
    else
      last = last + 1
      id = string.format('%s-%.0f', birth, last)
      seen[offset] = true
    end
  end
  if wanted then
    local source = (kind == 'o' or kind == 'O') and 'stdout' or 'stderr'
    if level then
      local all = {'XADD', key, id, 'timestamp', time, 'source', source, 'log', line, 'offset', offset}
      if level ~= '' then all[#all + 1] = 'level'; all[#all + 1] = level end
      if fields ~= '' then all[#all + 1] = 'fields'; all[#all + 1] = fields end
      for _, value in ipairs(fixed) do all[#all + 1] = value end
      redis.call(unpack(all))
    else
      redis.call('XADD', key, id, 'timestamp', time, 'source', source, 'log', line, 'offset', offset, unpack(fixed))
    end
    added = added + 1
  end
end
if most > 0 and added > 0 then redis.call('XTRIM', key, 'MAXLEN', '~', most) end
-- WAIT waits for what this connection has written last: where all is there already, that must be something now.
if added == 0 and ARGV[4] == '1' then
  local info = redis.call('XINFO', 'STREAM', key)
  for n = 1, #info, 2 do
    if info[n] == 'last-generated-id' then redis.call('XSETID', key, info[n + 1]) end
  end
end
return added
""".strip()

SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()
"""The name by which Redis knows the script."""
