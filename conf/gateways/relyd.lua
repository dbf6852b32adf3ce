-- HAProxy's question to relyd, for haproxy.cfg beside this file: `http-request lua.relyd_check /check/ROUTE`.
-- 200 sets the identity's headers and marks the request as allowed; 401 and 403 are answered as relyd said it. Everything else, an
-- error in here too, leaves the request without the mark, and haproxy.cfg denies it.

-- What the application gets. A route with responseHeaders has names of its own: put them here, and strip them in haproxy.cfg.
local PASSED_ON = {
    "x-relyd-identity", "x-relyd-username", "x-relyd-uid", "x-relyd-groups", "x-relyd-issuer", "x-relyd-subject",
    "x-relyd-credential", "x-relyd-decision-id", "x-relyd-hashed", "x-relyd-would-deny",
}
-- What the client gets with a refusal.
local ANSWERED = { "content-type", "cache-control", "www-authenticate", "x-relyd-reason", "x-relyd-decision-id" }

local function refuse(txn, answer)
    local reply = txn:reply({ status = answer.status, body = answer.body })
    for _, name in ipairs(ANSWERED) do
        if answer.headers[name] then
            reply:add_header(name, answer.headers[name][0])
        end
    end
    txn:done(reply)
end

core.register_action("relyd_check", { "http-req" }, function(txn, path)
    local sent = txn.http:req_get_headers()["authorization"]
    local answer = core.httpclient():get({
        url = "http://relyd" .. path,
        dst = "abns@relyd-check",
        headers = sent and { authorization = { sent[0] } } or nil,
        timeout = 5000,
    })
    if answer.status == 401 or answer.status == 403 then
        return refuse(txn, answer)
    end
    -- Who answers 200 without a decision is no relyd.
    if answer.status ~= 200 or not answer.headers["x-relyd-decision-id"] then
        return
    end
    for _, name in ipairs(PASSED_ON) do
        if answer.headers[name] then
            txn.http:req_set_header(name, answer.headers[name][0])
        end
    end
    -- Where a head has no room for one more (tune.maxrewrite), HAProxy leaves it out without a word.
    local set = txn.http:req_get_headers()
    for _, name in ipairs(PASSED_ON) do
        if answer.headers[name] and not set[name] then
            return
        end
    end
    txn:set_var("txn.relyd", "allowed")
end, 1)
