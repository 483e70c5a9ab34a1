package slack_test

import (
	"fmt"
	"os"

	"github.com/compliancelayer/compliancelayer/receiver/slack"
)

// A bot posts to a channel. Handle takes events of any type, so it suits every On
// method of a receiver for data of json.RawMessage.
func Example() {
	sink, err := slack.New(slack.Config{
		Token:   os.Getenv("SLACK_TOKEN"),
		Channel: "C0123456789",
		Fields: []slack.Field{
			{Title: "Score", Value: "{{.Score}}"},
			{Title: "Report", Value: "<https://app.example.com/{{.Domain}}|open>"},
		},
	})
	if err != nil {
		fmt.Println(err) // slack: token: it is missing; ...
		return
	}
	_ = sink.Handle // receiver.OnOther(sink.Handle)
}
