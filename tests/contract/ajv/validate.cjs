// Reads {"schemas": [...], "components": {...}, "documents": [{"name", "schema", "document"}]} from
// standard input: JSON Schemas of draft 2020-12, or the components of an AsyncAPI document, whose
// schemas are of draft 07 and called asyncapi#/components/schemas/<name>. Prints a list of {"name", "valid", "pointers"}: where Ajv sees errors, without the "if" frames
// that only repeat what the branches below them say.
const Ajv = require("ajv").default;
const Ajv2020 = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;
const { readFileSync } = require("node:fs");

function pointersOf(errors) {
  const pointers = new Set();
  for (const error of errors) {
    if (error.keyword === "if") continue;
    const field = error.params.missingProperty ?? error.params.additionalProperty;
    const step = field === undefined ? "" : "/" + field.replace(/~/g, "~0").replace(/\//g, "~1");
    pointers.add(error.instancePath + step);
  }
  return [...pointers].sort();
}

const { schemas, components, documents } = JSON.parse(readFileSync(0, "utf8"));
// Two of the strict modes stay off: a condition asks for a property that others describe, and
// "left out" applies to a value of any type.
const strictness = { strict: true, strictRequired: false, strictTypes: false };
const options = { allErrors: true, ...strictness };
const ajv = components
  ? new Ajv(options).addVocabulary(["components", "x-schema-id"])
  : new Ajv2020({ ...options, schemas });
if (components) ajv.addSchema({ $id: "asyncapi", components });
addFormats(ajv);
const results = documents.map(({ name, schema, document }) => {
  const validate = ajv.getSchema(schema);
  const valid = validate(document);
  return { name, valid, pointers: pointersOf(validate.errors ?? []) };
});
process.stdout.write(JSON.stringify(results));
