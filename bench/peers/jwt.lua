-- A JWT check for nginx with Lua: libcrypto's EVP through LuaJIT's FFI with one prepared context per key; signature,
-- iss, aud, exp and sub. With the cache on, a token that was seen before costs a look-up in a shared dictionary.
local ffi = require "ffi"
local base64 = require "ngx.base64"
local cjson = require "cjson.safe"

ffi.cdef [[
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_ctx_st EVP_MD_CTX;
void *BIO_new_file(const char *name, const char *mode);
EVP_PKEY *PEM_read_bio_PUBKEY(void *bio, EVP_PKEY **out, void *callback, void *context);
EVP_MD_CTX *EVP_MD_CTX_new(void);
int EVP_MD_CTX_copy_ex(EVP_MD_CTX *out, const EVP_MD_CTX *in);
const void *EVP_sha256(void);
int EVP_DigestVerifyInit(EVP_MD_CTX *ctx, void **pctx, const void *type, void *engine, EVP_PKEY *key);
int EVP_DigestVerify(EVP_MD_CTX *ctx, const char *sig, size_t sig_len, const char *data, size_t len);
void ERR_clear_error(void);
]]

local crypto = ffi.load("libcrypto.so.3")
local find, sub, byte, char, gsub = string.find, string.sub, string.byte, string.char, string.gsub
local decode64, decode_json = base64.decode_base64url, cjson.decode

local jwt = {}
local settings, keys, scratch, seen

local function load_key(path)
    local bio = crypto.BIO_new_file(path, "r")
    local key = crypto.PEM_read_bio_PUBKEY(bio, nil, nil, nil)
    assert(key ~= nil, path)
    local template = crypto.EVP_MD_CTX_new()
    assert(crypto.EVP_DigestVerifyInit(template, nil, crypto.EVP_sha256(), nil, key) == 1)
    return template
end

function jwt.set_up(given)
    settings = given
    keys = { RS256 = load_key(given.data .. "/rsa.pub.pem"), ES256 = load_key(given.data .. "/ec.pub.pem") }
    scratch = crypto.EVP_MD_CTX_new()
    seen = ngx.shared.tokens
end

-- R || S to DER.
local function to_der(raw)
    if #raw ~= 64 then
        return nil
    end
    local function integer(bytes)
        bytes = gsub(bytes, "^%z+", "")
        if bytes == "" or byte(bytes) >= 128 then
            bytes = "\0" .. bytes
        end
        return "\2" .. char(#bytes) .. bytes
    end
    local both = integer(sub(raw, 1, 32)) .. integer(sub(raw, 33))
    return "\48" .. char(#both) .. both
end

-- The algorithm of an encoded header; an issuer sends the same few headers again and again.
local algorithms, algorithm_count = {}, 0

local function algorithm_of(header)
    local known = algorithms[header]
    if known then
        return known
    end
    local fields = decode_json(decode64(header) or "")
    if type(fields) ~= "table" or fields.crit ~= nil or not keys[fields.alg] then
        return nil
    end
    if algorithm_count < 100 then
        algorithms[header], algorithm_count = fields.alg, algorithm_count + 1
    end
    return fields.alg
end

local function is_signed(token, header_end, payload_end)
    local algorithm = algorithm_of(sub(token, 1, header_end - 1))
    local signature = decode64(sub(token, payload_end + 1))
    if algorithm == "ES256" and signature then
        signature = to_der(signature)
    end
    if not algorithm or not signature or crypto.EVP_MD_CTX_copy_ex(scratch, keys[algorithm]) ~= 1 then
        return false
    end
    if crypto.EVP_DigestVerify(scratch, signature, #signature, token, payload_end - 1) == 1 then
        return true
    end
    crypto.ERR_clear_error()
    return false
end

local function has_audience(aud)
    if type(aud) ~= "table" then
        return aud == settings.audience
    end
    for _, one in ipairs(aud) do
        if one == settings.audience then
            return true
        end
    end
    return false
end

-- Returns the subject and exp, or nil and the status of the refusal.
local function verify(token)
    local header_end = find(token, ".", 1, true)
    local payload_end = header_end and find(token, ".", header_end + 1, true)
    if not payload_end or not is_signed(token, header_end, payload_end) then
        return nil, 401
    end
    local claims = decode_json(decode64(sub(token, header_end + 1, payload_end - 1)) or "")
    if type(claims) ~= "table" or claims.iss ~= settings.issuer or type(claims.exp) ~= "number" or
        claims.exp <= ngx.time() or type(claims.sub) ~= "string" or claims.sub == "" then
        return nil, 401
    end
    if not has_audience(claims.aud) then
        return nil, 403
    end
    return claims.sub, claims.exp
end

-- Only what was accepted is remembered, until its exp.
local function verify_cached(token)
    local subject = seen:get(token)
    if subject then
        return subject
    end
    local found, expires = verify(token)
    if found then
        seen:set(token, found, math.min(expires - ngx.time(), 3600))
    end
    return found, expires
end

local function subject_of(token)
    if settings.is_caching then
        return verify_cached(token)
    end
    return verify(token)
end

function jwt.check()
    local authorization = ngx.var.http_authorization
    if not authorization or sub(authorization, 1, 7) ~= "Bearer " then
        return ngx.exit(401)
    end
    local subject, status = subject_of(sub(authorization, 8))
    if not subject then
        return ngx.exit(status)
    end
    ngx.header["x-identity"] = subject
    ngx.header["content-length"] = 0
    return ngx.exit(200)
end

function jwt.review()
    ngx.req.read_body()
    local review = decode_json(ngx.req.get_body_data() or "")
    if not review or type(review.spec) ~= "table" or type(review.spec.token) ~= "string" then
        return ngx.exit(400)
    end
    local subject = subject_of(review.spec.token)
    local status = { authenticated = false }
    if subject then
        status = { authenticated = true, audiences = { settings.audience }, user = { username = subject } }
    end
    local answer = cjson.encode({ apiVersion = review.apiVersion, kind = "TokenReview", status = status })
    ngx.header["content-type"] = "application/json"
    ngx.header["content-length"] = #answer
    ngx.print(answer)
end

return jwt
