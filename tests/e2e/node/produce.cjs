// Publishes the request on standard input as README.md tells a producer to, and prints
// {"bound", "reply"}: the outcome from a queue of its own bound to the outcomes exchange, and the
// one that came through reply_to. Arguments: URL of the broker, prefix of the exchanges.
const amqp = require("amqplib");
const { readFileSync } = require("node:fs");

const DEADLINE_MS = 60_000;
const [url, prefix] = process.argv.slice(2);

async function firstMessage(channel, queue) {
  return new Promise((resolve, reject) => {
    channel.consume(queue, (message) => (message ? resolve(message) : reject(new Error("cancelled"))), {
      noAck: true,
    });
  });
}

function shown(message) {
  const { contentType, correlationId, type } = message.properties;
  const { exchange, routingKey } = message.fields;
  return { exchange, routingKey, contentType, correlationId, type, outcome: JSON.parse(message.content) };
}

async function main() {
  const body = readFileSync(0);
  const { account_id: accountId } = JSON.parse(body);
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();

  const { queue: bound } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(bound, `${prefix}.outcomes`, `*.${accountId}`);
  const { queue: replies } = await channel.assertQueue("", { exclusive: true });
  const arrived = Promise.all([firstMessage(channel, bound), firstMessage(channel, replies)]);

  channel.publish(`${prefix}.requests`, accountId, body, {
    contentType: "application/json",
    deliveryMode: 2,
    mandatory: true,
    replyTo: replies,
    correlationId: "from-node-1",
  });
  await channel.waitForConfirms();
  const [event, reply] = await arrived;
  process.stdout.write(JSON.stringify({ bound: shown(event), reply: shown(reply) }));
  await connection.close();
}

setTimeout(() => {
  process.stderr.write("no outcome in time\n");
  process.exit(1);
}, DEADLINE_MS).unref();
main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
