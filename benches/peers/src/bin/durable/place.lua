-- KEYS: the request's, the account's, the selection's. ARGV: the stake, the price that was seen.
local answer = redis.call('HGET', KEYS[1], 'accepted')
if answer then
    return tonumber(answer)
end
local price = tonumber(redis.call('GET', KEYS[3]))
local stake = tonumber(ARGV[1])
local accepted = 0
if price and tonumber(ARGV[2]) <= price and stake <= tonumber(redis.call('GET', KEYS[2])) then
    redis.call('DECRBY', KEYS[2], stake)
    accepted = 1
end
redis.call('HSET', KEYS[1], 'account', KEYS[2], 'selection', KEYS[3], 'stake', stake, 'price_e4', price, 'accepted', accepted)
return accepted
