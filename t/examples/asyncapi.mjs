// node asyncapi.mjs DOCUMENT, with lines {"message": NAME, "payload": ...} on stdin: is DOCUMENT a valid AsyncAPI
// document, and what is wrong with each payload by the schema that DOCUMENT has for the message of that name?
// Prints {"diagnostics": [...], "channels": [address], "messages": [name], "wrong": [null or text, for each line]}.
import fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../examples/package.json", import.meta.url));
const { Parser } = require("@asyncapi/parser");
const Ajv = require("ajv").default;

const { document, diagnostics } = await new Parser().parse(fs.readFileSync(process.argv[2], "utf8"));
const out = {
  diagnostics: diagnostics.map((d) => `${["error", "warning", "info", "hint"][d.severity]} ${d.path.join(".")}: ${d.message}`),
  channels: [], messages: [], wrong: [],
};
if (document) {
  const ajv = new Ajv({ strict: false, allErrors: true });
  require("ajv-formats").default(ajv);
  const check = {};
  for (const message of document.allMessages().all()) check[message.name()] ??= ajv.compile(message.payload().json());
  out.channels = document.allChannels().all().map((channel) => channel.address());
  out.messages = Object.keys(check);
  for (const line of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    const { message, payload } = JSON.parse(line);
    out.wrong.push(!check[message] ? `no message ${message}` : check[message](payload) ? null : ajv.errorsText(check[message].errors));
  }
}
console.log(JSON.stringify(out));
