-- Registers tests that take nothing of their location, so that all of them start, at as many locations as it is told,
-- one after the other, and prints one line of figures for load.rs.
local requests, turn = {}, 0

function init(arguments)
  for location = 1, tonumber(arguments[1]) do
    local body = '{"repo":"myrepo","lac":"lac1","stream":"main","test":"load","type":"performance","environment":"prod",'
      .. '"triggered_by":"user1","factor":0,"dashboard_url":"https://dashboard.example.com/run/123",'
      .. '"location":"hot-' .. location .. '"}'
    requests[location] = wrk.format("POST", "/register", { ["Content-Type"] = "application/json" }, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("figures %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
