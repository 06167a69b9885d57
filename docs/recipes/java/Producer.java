// One message through igsend, and how it ended. Needs com.rabbitmq:amqp-client 5 and Jackson:
//     IGSEND_AMQP_URL=amqp://… java -cp 'lib/*' Producer.java
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

public class Producer {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> request = Map.of(
            // The same id is never sent twice. Make it of what you know, like order-4711-shipped.
            "id", UUID.randomUUID().toString(),
            "account_id", "17841405822304914",
            "recipient", Map.of("id", "6789012345"),
            "message", Map.of("text", "Your order is on its way."));

        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(System.getenv().getOrDefault("IGSEND_AMQP_URL", "amqp://guest:guest@localhost:5672"));
        JsonNode outcome;
        // A service opens these once and keeps them; a channel belongs to one thread.
        try (Connection connection = factory.newConnection(); Channel channel = connection.createChannel()) {
            outcome = send(channel, request).get(60, TimeUnit.SECONDS);
        }
        if (!outcome.get("status").asText().equals("sent")) {
            System.out.println(outcome.get("status").asText() + " " + outcome.get("reason").asText() + " "
                + outcome.at("/error/detail").asText());
            System.exit(1);
        }
        System.out.println("sent " + outcome.get("message_ids"));
    }

    /** Returns when RabbitMQ has the request safely; what it gives is complete when that has ended. */
    static CompletableFuture<JsonNode> send(Channel channel, Map<String, Object> request) throws Exception {
        // A queue of our own for how it ends. It must be there before the request is.
        String replies = channel.queueDeclare().getQueue();
        CompletableFuture<JsonNode> outcome = new CompletableFuture<>();
        channel.basicConsume(replies, true,
            (tag, reply) -> outcome.complete(JSON.readTree(reply.getBody())), tag -> { });

        AtomicBoolean isReturned = new AtomicBoolean();
        channel.addReturnListener(returned -> isReturned.set(true));
        channel.confirmSelect();

        AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
            .contentType("application/json")
            .deliveryMode(2) // persistent
            .messageId(UUID.randomUUID().toString())
            .correlationId((String) request.get("id"))
            .replyTo(replies)
            .build();
        boolean mandatory = true; // give it back rather than drop it
        String exchange = "ig.requests"; // ig.bulk for campaigns
        channel.basicPublish(
            exchange, (String) request.get("account_id"), mandatory, properties, JSON.writeValueAsBytes(request));
        // Throws when RabbitMQ refuses it, or says nothing for 30 s: it may be there or not then, so publish it
        // again with the same id.
        channel.waitForConfirmsOrDie(30_000);
        if (isReturned.get()) { // What is returned comes before its confirm.
            throw new IllegalStateException("no queue takes it: has a worker declared them?");
        }
        return outcome;
    }
}
