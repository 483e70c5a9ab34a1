package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/compliancelayer/compliancelayer/client"
)

func Example() {
	c, err := client.New(client.Config{Server: "https://hooks.example.com", APIKey: os.Getenv("COMPLIANCELAYER_API_KEY")})
	if err != nil {
		log.Fatal(err)
	}
	event, err := c.Publish(context.Background(), client.NewEvent{
		Type:           "domain.added",
		Data:           json.RawMessage(`{"domain":"example.com"}`),
		IdempotencyKey: "domain-added-7", // makes it safe to publish again after an error
	})
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == client.CodeValidation {
		for _, f := range refused.Fields {
			fmt.Println(f.Name, f.Message)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.ID, len(event.Deliveries))
}

func ExampleAll() {
	c, err := client.New(client.Config{Server: "https://hooks.example.com", APIKey: os.Getenv("COMPLIANCELAYER_API_KEY")})
	if err != nil {
		log.Fatal(err)
	}
	query := client.DeliveryQuery{Status: []string{client.StatusFailed}}
	list := func(ctx context.Context) (client.Page[client.Delivery], error) { return c.Deliveries(ctx, query) }
	for d, err := range client.All(context.Background(), &query.PageQuery, list) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(d.ID, d.LastClass)
	}
}

func ExampleClient_Stream() {
	c, err := client.New(client.Config{Server: "https://hooks.example.com", APIKey: os.Getenv("COMPLIANCELAYER_API_KEY")})
	if err != nil {
		log.Fatal(err)
	}
	for item, err := range c.Stream(context.Background(), client.StreamOptions{Events: []string{"scan.*"}}) {
		if err != nil {
			log.Fatal(err) // or connect again
		}
		fmt.Println(item.Kind)
	}
}
