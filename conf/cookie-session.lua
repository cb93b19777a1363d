-- For auth-cookie-session.conf: the token in the cookie of cookie-session becomes the request's bearer token, which
-- mod_auth_openidc then checks. A request that has an Authorization header of its own keeps it.

function cookie_session(r)
    if r.headers_in['Authorization'] then
        return apache2.DECLINED
    end
    local cookies = ';' .. (r.headers_in['Cookie'] or '')
    -- Version 2 of cookie-session says session, version 1 express:sess. Not a cookie whose name only ends like that.
    local session = cookies:match(';%s*session=([^;]+)') or cookies:match(';%s*express:sess=([^;]+)')
    if session then
        -- By hand: r:unescape answers nothing at all where an escape is broken.
        session = session:gsub('%%(%x%x)', function(digits) return string.char(tonumber(digits, 16)) end)
        local text = r:base64_decode(session) or ''
        local token = text:match('"jwt"%s*:%s*"([%w%-_.]+)"')
        if token then
            r.headers_in['Authorization'] = 'Bearer ' .. token
        end
    end
    return apache2.DECLINED
end
