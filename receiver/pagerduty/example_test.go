package pagerduty_test

import (
	"fmt"
	"os"

	"github.com/compliancelayer/compliancelayer/receiver/pagerduty"
)

// Critical and high alerts wake somebody.
func Example() {
	sink, err := pagerduty.New(pagerduty.Config{
		RoutingKey: os.Getenv("PAGERDUTY_KEY"),
		Severities: []string{"critical", "high"},
		Details:    map[string]string{"runbook": "https://wiki.example.com/{{.AlertType}}"},
	})
	if err != nil {
		fmt.Println(err) // pagerduty: routing key: it must have 32 characters; ...
		return
	}
	_ = sink.Handle // receiver.OnOther(sink.Handle)
}
