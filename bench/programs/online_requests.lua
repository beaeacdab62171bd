-- Requests of the load generator wrk: POST /get-online-features for random entities.
-- Usage: wrk -s online_requests.lua URL -- ENTITIES-PER-REQUEST KEYS FEATURES (separated by commas)
-- The bodies are made before, so that the generator does little while it measures.

local BODIES = 2000
local bodies = {}
local place = 0

function init(args)
  local entities, keys, features = tonumber(args[1]), tonumber(args[2]), args[3]
  local names = features:gsub("[^,]+", '"profile:%0"')
  math.randomseed(12345)
  for body = 1, BODIES do
    local ids = {}
    for entity = 1, entities do ids[entity] = math.random(0, keys - 1) end
    bodies[body] = wrk.format("POST", "/get-online-features", { ["Content-Type"] = "application/json" },
      '{"features": [' .. names .. '], "entities": {"entity_id": [' .. table.concat(ids, ", ") .. ']}}')
  end
end

function request()
  place = place % BODIES + 1
  return bodies[place]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"perSecond": %.2f, "p50": %.4f, "p99": %.4f, "failed": %d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
