// Reads {"schemas": [...], "documents": [{"name", "schema", "document"}]} from standard input and
// prints a list of {"name", "valid", "pointers"}: where Ajv sees errors, without the "if" frames
// that only repeat what the branches below them say.
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

const { schemas, documents } = JSON.parse(readFileSync(0, "utf8"));
// Two of the strict modes stay off: a condition asks for a property that others describe, and
// "left out" applies to a value of any type.
const strictness = { strict: true, strictRequired: false, strictTypes: false };
const ajv = new Ajv2020({ allErrors: true, ...strictness, schemas });
addFormats(ajv);
const results = documents.map(({ name, schema, document }) => {
  const validate = ajv.getSchema(schema);
  const valid = validate(document);
  return { name, valid, pointers: pointersOf(validate.errors ?? []) };
});
process.stdout.write(JSON.stringify(results));
