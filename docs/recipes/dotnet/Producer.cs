// One message through igsend, and how it ended.
//     dotnet new console && dotnet add package RabbitMQ.Client   (7 or later; this file replaces Program.cs)
//     IGSEND_AMQP_URL=amqp://… dotnet run
using System;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

var request = new
{
    // The same id is never sent twice. Make it of what you know, like order-4711-shipped.
    id = Guid.NewGuid().ToString(),
    account_id = "17841405822304914",
    recipient = new { id = "6789012345" },
    message = new { text = "Your order is on its way." },
};

var url = Environment.GetEnvironmentVariable("IGSEND_AMQP_URL") ?? "amqp://guest:guest@localhost:5672";
var factory = new ConnectionFactory { Uri = new Uri(url) };
// A service opens these once and keeps them. With tracking, a publish ends when RabbitMQ has confirmed it.
await using var connection = await factory.CreateConnectionAsync();
await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(
    publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));

// A queue of our own for how it ends. It must be there before the request is.
var replies = (await channel.QueueDeclareAsync()).QueueName;
var ended = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
var consumer = new AsyncEventingBasicConsumer(channel);
consumer.ReceivedAsync += (_, reply) =>
{
    ended.TrySetResult(JsonNode.Parse(reply.Body.Span)!);
    return Task.CompletedTask;
};
await channel.BasicConsumeAsync(replies, autoAck: true, consumer);

var properties = new BasicProperties
{
    ContentType = "application/json",
    Persistent = true,
    MessageId = Guid.NewGuid().ToString(),
    CorrelationId = request.id,
    ReplyTo = replies,
};
try
{
    await channel.BasicPublishAsync(
        exchange: "ig.requests", // ig.bulk for campaigns
        routingKey: request.account_id,
        mandatory: true, // give it back rather than drop it
        basicProperties: properties,
        body: JsonSerializer.SerializeToUtf8Bytes(request)).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
}
catch (PublishException refusal)
{
    Console.Error.WriteLine(refusal.IsReturn
        ? "no queue takes it: has a worker declared them?"
        : "RabbitMQ refused it: publish it again with the same id");
    return 1;
}
catch (TimeoutException)
{
    Console.Error.WriteLine("not confirmed: it may be there or not, so publish it again with the same id");
    return 1;
}

var outcome = await ended.Task.WaitAsync(TimeSpan.FromSeconds(60));
if (outcome["status"]!.GetValue<string>() != "sent")
{
    Console.WriteLine($"{outcome["status"]} {outcome["reason"]} {outcome["error"]?["detail"]}");
    return 1;
}
Console.WriteLine($"sent {outcome["message_ids"]!.ToJsonString()}");
return 0;
