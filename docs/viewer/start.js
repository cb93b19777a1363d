// Shows openapi.yaml, which lies beside this file. "Try it out" asks the server that the page comes from.
SwaggerUIBundle({
  url: "openapi.yaml",
  dom_id: "#viewer",
  deepLinking: true,
  validatorUrl: null, // would ask validator.swagger.io
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
});
