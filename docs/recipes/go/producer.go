// One message through igsend, and how it ended.
//
//	go mod init example.com/producer && go get github.com/rabbitmq/amqp091-go
//	IGSEND_AMQP_URL=amqp://… go run producer.go
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

type outcome struct {
	Status     string   `json:"status"`
	Reason     string   `json:"reason"`
	MessageIDs []string `json:"message_ids"`
	Error      struct {
		Detail string `json:"detail"`
	} `json:"error"`
}

func main() {
	url := os.Getenv("IGSEND_AMQP_URL")
	if url == "" {
		url = "amqp://guest:guest@localhost:5672"
	}
	// The same id is never sent twice. Make it of what you know, like order-4711-shipped.
	id, account := freshID(), "17841405822304914"
	body, err := json.Marshal(map[string]any{
		"id":         id,
		"account_id": account,
		"recipient":  map[string]any{"id": "6789012345"},
		"message":    map[string]any{"text": "Your order is on its way."},
	})
	if err != nil {
		log.Fatal(err)
	}

	// A service opens these once and keeps them.
	connection, err := amqp.Dial(url)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		log.Fatal(err)
	}

	ended, err := send(channel, id, account, body)
	if err != nil {
		log.Fatal(err)
	}
	if ended.Status != "sent" {
		fmt.Println(ended.Status, ended.Reason, ended.Error.Detail)
		os.Exit(1)
	}
	fmt.Println(ended.Status, ended.MessageIDs)
}

// send publishes a request, waits until RabbitMQ has it safely, and then until it has ended.
func send(channel *amqp.Channel, id, account string, body []byte) (outcome, error) {
	if err := channel.Confirm(false); err != nil {
		return outcome{}, err
	}
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, 1))
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))

	// A queue of our own for how it ends. It must be there before the request is.
	queue, err := channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return outcome{}, err
	}
	replies, err := channel.Consume(queue.Name, "", true, true, false, false, nil)
	if err != nil {
		return outcome{}, err
	}

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	const mandatory = true // give it back rather than drop it
	// Exchange ig.bulk is for campaigns.
	err = channel.PublishWithContext(ctx, "ig.requests", account, mandatory, false, amqp.Publishing{
		ContentType:   "application/json",
		DeliveryMode:  amqp.Persistent,
		MessageId:     freshID(),
		CorrelationId: id,
		ReplyTo:       queue.Name,
		Body:          body,
	})
	if err != nil {
		return outcome{}, err
	}
	select {
	case confirm, open := <-confirms:
		if !open {
			return outcome{}, fmt.Errorf("not taken: %w", <-closed) // no exchange, or no permission
		}
		if !confirm.Ack {
			return outcome{}, errors.New("RabbitMQ refused it: publish it again with the same id")
		}
	case <-ctx.Done():
		return outcome{}, errors.New("not confirmed: it may be there or not, so publish it again with the same id")
	}
	select { // What is returned comes before its confirm.
	case <-returns:
		return outcome{}, errors.New("no queue takes it: has a worker declared them?")
	default:
	}

	var ended outcome
	select {
	case reply, open := <-replies:
		if !open {
			return ended, errors.New("taken, but the connection is lost: bind a durable queue to ig.outcomes to hear of it")
		}
		return ended, json.Unmarshal(reply.Body, &ended)
	case <-time.After(60 * time.Second):
		return ended, errors.New("taken, but not ended yet: it may be waiting for its turn")
	}
}

func freshID() string {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		log.Fatal(err)
	}
	return hex.EncodeToString(random)
}
