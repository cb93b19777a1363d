// node operations.mjs DOCUMENT: what an OpenAPI document has, as JSON, with all references followed: an array of
// {"id", "method", "path", "example" (the path with an example of its parameters), "parameters": [{"in", "name", "example"}],
//  "requests": [{"name", "value"}], "responses": {status: {"type", "headers": {name: {"required", "example"}}, "bodies": [{"name", "value"}]}}}.
import fs from "node:fs";
import yaml from "js-yaml";

const document = yaml.load(fs.readFileSync(process.argv[2], "utf8"));

function resolve(node) {
  while (node?.$ref) node = node.$ref.split("/").slice(1).reduce((at, key) => at[key], document);
  return node ?? {};
}

const bodies = (media) => Object.entries(media?.examples ?? {}).map(([name, { value }]) => ({ name, value }));

const operations = [];
for (const [path, item] of Object.entries(document.paths)) {
  for (const method of ["get", "head", "options", "post", "put", "delete"].filter((one) => item[one])) {
    const operation = item[method];
    const own = (operation.parameters ?? []).map(resolve);
    const parameters = [...(item.parameters ?? []).map(resolve).filter((p) => !own.some((q) => q.name === p.name)), ...own];
    const responses = {};
    for (const [status, reference] of Object.entries(operation.responses)) {
      const response = resolve(reference);
      const [type, media] = Object.entries(response.content ?? {})[0] ?? [];
      const headers = Object.entries(response.headers ?? {}).map(([name, header]) =>
        [name, { required: Boolean(resolve(header).required), example: resolve(header).example }]);
      responses[status] = { type, headers: Object.fromEntries(headers), bodies: bodies(media) };
    }
    operations.push({
      id: operation.operationId, method: method.toUpperCase(), path,
      example: parameters.filter((p) => p.in === "path").reduce((text, p) => text.replace(`{${p.name}}`, p.example), path),
      parameters: parameters.map((p) => ({ in: p.in, name: p.name, example: p.example })),
      requests: bodies(operation.requestBody?.content["application/json"]),
      responses,
    });
  }
}
console.log(JSON.stringify(operations));
