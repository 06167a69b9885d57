// Reads an AsyncAPI document from standard input and prints {"diagnostics", "document",
// "operations"}: what the official parser says of it, the plain values as js-yaml reads them, and
// for each operation what the parser makes of its references.
const { Parser } = require("@asyncapi/parser");
const { readFileSync } = require("node:fs");
const yaml = require("js-yaml");

function described(operation) {
  const [channel] = operation.channels().all();
  const messages = operation.messages().all();
  const reply = operation.reply();
  return {
    action: operation.action(),
    channel: channel.id(),
    address: channel.address(),
    messages: messages.map((message) => ({
      name: message.id(),
      type: message.bindings().get("amqp")?.value().messageType,
      correlation: message.correlationId()?.location(),
      required: message.payload().json().required ?? [],
      headers: Object.keys(message.headers().properties() ?? {}),
      examples: message.examples().all().length,
    })),
    reply: reply && {
      location: reply.address().location(),
      channel: reply.channel().id(),
    },
  };
}

async function main() {
  const source = readFileSync(0, "utf8");
  const { document, diagnostics } = await new Parser().parse(source);
  const operations = document ? document.operations().all() : [];
  const result = {
    diagnostics: diagnostics.map(({ code, severity, message, path }) => {
      return { code, severity, message, path: path.join("/") };
    }),
    document: yaml.load(source),
    operations: Object.fromEntries(operations.map((each) => [each.id(), described(each)])),
  };
  process.stdout.write(JSON.stringify(result));
}

main();
