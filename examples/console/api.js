// The public API and the status JSON, and what went wrong in words. Every request says itself who asks; 'omit' keeps the
// browser from asking for a password of its own.

const PASSWORD = 'secret';
const PATIENCE = 15000;   // ms; the services answer a write within 10 s, if need be with a 503

export class Trouble extends Error {
  // errors: of problem+json, [{field, message}]; again: the same request may be sent again.
  constructor(words, { status = 0, errors = [], again = false } = {}) {
    super(words);
    Object.assign(this, { status, errors, again });
  }
}

export function uuid() {   // randomUUID is there on https and on loopback only
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = bytes[6] & 0x0f | 0x40;
  bytes[8] = bytes[8] & 0x3f | 0x80;
  return [...bytes].map((byte, i) => ([4, 6, 8, 10].includes(i) ? '-' : '') + byte.toString(16).padStart(2, '0')).join('');
}

// A request that may be sent again as it stands: a POST has its Idempotency-Key from the beginning.
export function request(method, path, { user, body, version } = {}) {
  const headers = { Accept: 'application/json' };
  if (user) headers.Authorization = 'Basic ' + btoa(`${user}:${PASSWORD}`);
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method === 'POST') headers['Idempotency-Key'] = `"${uuid()}"`;
  if (version !== undefined) headers['If-Match'] = `"${version}"`;
  return { method, path, user, headers, body: body === undefined ? undefined : JSON.stringify(body) };
}

export async function send({ method, path, user, headers, body }, { signal, patience = PATIENCE } = {}) {
  let answer, text;
  const late = AbortSignal.timeout(patience);
  try {
    answer = await fetch(path, { method, headers, body, credentials: 'omit', cache: 'no-store',
                                 signal: signal ? AbortSignal.any([signal, late]) : late });
    text = await answer.text();
  } catch (e) {
    if (signal && signal.aborted) throw e;   // nobody wants it any more
    throw new Trouble((late.aborted ? `The server has not answered for ${patience / 1000} seconds.`
                                    : 'The server does not answer: httpd or the network is down.') + unknown(method), { again: true });
  }
  if (!answer.ok) throw trouble(answer, text, method, user);
  try {
    return { status: answer.status, headers: answer.headers, data: text ? JSON.parse(text) : null };
  } catch (e) {
    throw new Trouble(`The answer to ${method} ${path} is not JSON: is something else on this port?`, { status: answer.status });
  }
}

function unknown(method) {
  return { POST: ' Whether it was done is not known: “Try again” sends the same request with the same Idempotency-Key, so it is done once.',
           DELETE: ' Whether it was done is not known: to cancel twice does no harm.',
           PUT: ' Whether it was done is not known.' }[method] || '';
}

function trouble(answer, text, method, user) {
  const status = answer.status, wait = answer.headers.get('Retry-After');
  let problem = {};
  try { problem = JSON.parse(text) || {}; } catch (e) { /* of a proxy, perhaps: the status says enough */ }
  const why = problem.detail || answer.statusText || 'no reason given';
  const soon = wait ? ` It asks to wait ${wait} second${wait === '1' ? '' : 's'}.` : '';
  const words = {
    400: `This was not accepted: ${why}.`,
    401: `The server does not let ${user || 'nobody'} in with the password “${PASSWORD}” (401). Is this the server of make run?`,
    403: `${user || 'Nobody'} may not do this: ${why} (403).`,
    404: `Not found: ${why} (404).` + (soon || (method === 'POST' ? ' A new ticket reaches the orders service by an event, a moment later.' : '')),
    409: `This cannot be done any more: ${why} (409).`,
    412: `Somebody changed it since this page read it: ${why} (412). It has been read again.`,
    503: `The service cannot answer now: ${why} (503).${soon}`,
  }[status] || `The server answered ${status}: ${why}.${soon}`;
  return new Trouble(words, { status, errors: Array.isArray(problem.errors) ? problem.errors : [],
                              again: status >= 500 || (status === 404 && method === 'POST') });
}

// The path of the page that follows, or null. Link: </api/tickets?...>; rel="next"
export function next(headers) {
  const found = /<([^>]*)>\s*;\s*rel="?next"?/.exec(headers.get('Link') || '');
  return found && found[1];
}
