package datadog_test

import (
	"context"
	"log"
	"os"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/datadog"
)

func ExampleNew() {
	var r *receiver.Receiver // from receiver.New

	events, err := datadog.New(datadog.Config{
		APIKey: os.Getenv("DD_API_KEY"), ApplicationKey: os.Getenv("DD_APP_KEY"), Site: "datadoghq.eu",
		Types: []string{"*"}, Tags: []string{"env:production"},
	})
	if err != nil {
		log.Fatal(err)
	}
	r.OnOther(events.Handle)
	_ = r.Run(context.Background())
}
