// One message through igsend, and how it ended.
//     npm install amqplib
//     IGSEND_AMQP_URL=amqp://… node producer.mjs
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import amqp from "amqplib";

const request = {
  // The same id is never sent twice. Make it of what you know, like `order-4711-shipped`.
  id: randomUUID(),
  account_id: "17841405822304914",
  recipient: { id: "6789012345" },
  message: { text: "Your order is on its way." },
};

const within = (seconds, promise, otherwise) =>
  Promise.race([
    promise,
    sleep(seconds * 1000, undefined, { ref: false }).then(() => Promise.reject(new Error(otherwise))),
  ]);

// A service opens these once and keeps them.
const connection = await amqp.connect(process.env.IGSEND_AMQP_URL ?? "amqp://guest:guest@localhost:5672");
const channel = await connection.createConfirmChannel();

try {
  // A queue of our own for how it ends. It must be there before the request is.
  const { queue: replies } = await channel.assertQueue("", { exclusive: true });
  const ended = new Promise((resolve) => {
    channel.consume(replies, (message) => message && resolve(JSON.parse(message.content)), { noAck: true });
  });

  const taken = new Promise((resolve, reject) => {
    channel.on("error", reject); // for example: no exchange ig.requests, no permission
    channel.on("return", () => reject(new Error("no queue takes it: has a worker declared them?")));
    channel.publish(
      "ig.requests", // ig.bulk for campaigns
      request.account_id,
      Buffer.from(JSON.stringify(request)),
      {
        contentType: "application/json",
        persistent: true,
        mandatory: true, // give it back rather than drop it
        messageId: randomUUID(),
        correlationId: request.id,
        replyTo: replies,
      },
      (refusal) => (refusal ? reject(refusal) : resolve()),
    );
  });
  await within(30, taken, "not confirmed: it may be there or not, so publish it again with the same id");

  const outcome = await within(60, ended, "taken, but not ended yet: it may be waiting for its turn");
  if (outcome.status === "sent") {
    console.log("sent", ...outcome.message_ids);
  } else {
    console.log(outcome.status, outcome.reason, outcome.error.detail);
    process.exitCode = 1;
  }
} finally {
  await connection.close();
}
