// node judge.mjs DOCUMENT: judges what was asked and answered by an OpenAPI document, with `prism proxy`. Prints the URL
// that takes exchanges, {"method", "url", "headers": [[name, value]], "body", "status", "answerHeaders", "answerBody"}
// with bodies in base64, and answers {"violations": [text]}. GET there tells what has been judged so far.
//
// Prism stands before an upstream that gives the answer which the server gave. It does not stand before the server
// itself because it parses and re-writes what it forwards and refuses what it cannot parse: broken JSON, a key that
// stands twice, an unknown method. The suites send these on purpose, byte for byte.
//
// A violation is:
//  - whatever prism says of the answer: its status, media type, headers, body;
//  - whatever prism says of a request that was a success: then the document forbids what the service takes (but for the
//    certificate of a client, which prism cannot see);
//  - a field of an object or a header that the document does not have.
// How a method or a path that is none is answered stands under OPTIONS in the document, and is judged by that.
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import yaml from "js-yaml";

const { createSingleProcessPrism } = createRequire(import.meta.url)("@stoplight/prism-cli/dist/util/createServer");
const MARK = "x-exchange";
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch"];
// Of httpd and of the connection, on any answer.
const ANYWHERE = new Set(["date", "server", "connection", "keep-alive", "content-length", "content-type", "content-encoding"]);

const document = yaml.load(fs.readFileSync(process.argv[2], "utf8"));

// --- the document

function resolve(node) {
  while (node?.$ref) node = node.$ref.split("/").slice(1).reduce((at, key) => at[key], document);
  return node;
}

// An object has no other fields than those it has in the document, unless the document says that it may.
function close(schema) {
  if (Array.isArray(schema)) return schema.forEach(close);
  if (!schema || typeof schema !== "object") return;
  if (schema.type === "object" && schema.properties) schema.additionalProperties ??= false;
  Object.values(schema).forEach(close);
}
close(document.components.schemas);

const routes = Object.entries(document.paths).map(([template, item]) => ({
  template,
  match: new RegExp(`^${template.replace(/\{[^}]+\}/g, "[^/]+")}$`),
  operations: Object.fromEntries(METHODS.filter((method) => item[method]).map((method) => [method, {
    name: item[method].operationId,
    seen: {},
    headers: Object.fromEntries(Object.entries(item[method].responses).map(([status, response]) =>
      [status, new Set(Object.keys(resolve(response).headers ?? {}).map((name) => name.toLowerCase()))])),
  }])),
}));

// Where the document has what was asked for: {path, method, operation}; null: it is not about this path.
function place(method, pathname) {
  const [here, service] = path.posix.normalize(pathname).replace(/\/$/, "").match(/^\/api\/(tickets|orders)(?:\/.*)?$/) ?? [];
  if (!service) return null;
  const route = routes.find((one) => one.match.test(here));
  const operation = METHODS.includes(method.toLowerCase()) && method === method.toUpperCase() && route?.operations[method.toLowerCase()];
  if (operation) return { path: here, method, operation };
  const other = route ? here : `/api/${service}/no-such-path`;
  return { path: other, method: "OPTIONS", operation: (route ?? routes.find((one) => one.match.test(other))).operations.options };
}

// --- prism, between us and ourselves

const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const answers = new Map(); // exchanges that prism has not asked for yet

const upstream = http.createServer((request, response) => {
  const exchange = answers.get(request.headers[MARK]);
  answers.delete(request.headers[MARK]);
  // Prism parses the body by its type, also the one that HEAD does not have.
  const withheld = new Set(["connection", "keep-alive", "transfer-encoding", ...(exchange.method === "HEAD" ? ["content-type"] : [])]);
  response.writeHead(exchange.status, exchange.answerHeaders.filter(([name]) => !withheld.has(name.toLowerCase())).flat());
  response.end(Buffer.from(exchange.answerBody ?? "", "base64"));
});

const copy = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "judge.")), "openapi.json");
fs.writeFileSync(copy, JSON.stringify(document));
const probe = http.createServer(); // prism wants a port that is known
const port = await listen(probe);
await new Promise((done) => probe.close(done));
await createSingleProcessPrism({
  document: copy, upstream: new URL(`http://127.0.0.1:${await listen(upstream)}`), host: "127.0.0.1", port,
  cors: false, errors: false, validateRequest: true, dynamic: false, verboseLevel: "silent",
});
fs.rmSync(path.dirname(copy), { recursive: true });

// Prism ends at a path that is percent-encoded badly, as a text that is not UTF-8 is.
function encoded(text) {
  try {
    decodeURIComponent(text);
  } catch {
    text = text.replaceAll("%", "%25");
  }
  return text.replace(/[^\x21-\x7e]/g, encodeURIComponent);
}

function throughPrism(mark, exchange, at, search) {
  const isGood = exchange.status < 400;
  const body = isGood && exchange.body ? Buffer.from(exchange.body, "base64") : undefined;
  const headers = exchange.headers.filter(([name]) => !/^(host|connection|te|content-length|transfer-encoding)$/i.test(name));
  return new Promise((done, fail) => {
    const request = http.request({
      host: "127.0.0.1", port, method: at.method, path: encoded(at.path) + encoded(search),
      headers: { ...Object.fromEntries(headers), [MARK]: mark, ...(body ? { "content-length": body.length } : {}) },
    }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => (text += piece)).on("end", () => done([response.headers["sl-violations"], text]));
    });
    request.on("error", fail);
    request.end(body);
  });
}

// --- judging

const told = { judged: 0, elsewhere: 0, violations: 0 };

async function judge(exchange) {
  const [, pathname, search] = exchange.url.match(/^https?:\/\/[^/]+([^?#]*)(\?[^#]*)?/);
  const at = place(exchange.method, pathname);
  if (!at) return told.elsewhere++, [];
  const mark = String(++told.judged);
  answers.set(mark, exchange);
  const [said, text] = await throughPrism(mark, exchange, at, search ?? "");
  const wrong = [];
  if (answers.delete(mark)) wrong.push(`prism did not ask for the answer: ${text}`);
  if (said && !said.startsWith("[")) wrong.push(said); // too many for one header
  else {
    for (const { location, code, message } of said ? JSON.parse(said) : []) {
      if (location[0] === "response" || location.length === 0) wrong.push(`${location.join(".")}: ${message}`);
      else if (exchange.status < 400 && !(code === 401 && exchange.url.startsWith("https:"))) wrong.push(`${location.join(".")}: ${message}, but the request was a success`);
    }
  }
  const known = at.operation.headers[exchange.status];
  if (known) at.operation.seen[exchange.status] = (at.operation.seen[exchange.status] ?? 0) + 1;
  for (const [name] of known ? exchange.answerHeaders : []) {
    if (!known.has(name.toLowerCase()) && !ANYWHERE.has(name.toLowerCase())) wrong.push(`response.header: ${name} is not documented`);
  }
  if (exchange.status < 400 && at.method !== exchange.method) wrong.push("the document has no such method or path");
  told.violations += wrong.length;
  return wrong.map((text) => `${at.operation.name} ${exchange.status}: ${text}`);
}

function summary() {
  const all = routes.flatMap((route) => Object.values(route.operations));
  const each = (choose) => all.flatMap((one) => Object.keys(one.headers).filter((status) => choose(one, status)).map((status) => `${one.name} ${status}`));
  return { ...told, seen: each((one, status) => one.seen[status]), unseen: each((one, status) => !one.seen[status]) };
}

const front = http.createServer(async (request, response) => {
  try {
    let text = "";
    for await (const piece of request.setEncoding("utf8")) text += piece;
    const say = request.method === "GET" ? summary() : { violations: await judge(JSON.parse(text)) };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(say));
  } catch (error) {
    response.writeHead(500, { "content-type": "text/plain" }).end(`${error.stack}\n`);
  }
});
console.log(`http://127.0.0.1:${await listen(front)}/`);
process.stdin.on("end", () => process.exit(0)).resume(); // whoever started it holds the other end
