package jira_test

import (
	"context"
	"log"
	"os"

	"github.com/compliancelayer/compliancelayer/receiver"
	"github.com/compliancelayer/compliancelayer/receiver/jira"
)

func ExampleNew() {
	var r *receiver.Receiver // from receiver.New

	issues, err := jira.New(jira.Config{
		BaseURL: "https://acme.atlassian.net", Email: "bot@acme.example", Token: os.Getenv("JIRA_TOKEN"),
		Project: "SEC", ScoreBelow: 60, AlertSeverities: []string{"critical"},
		JSONFields: map[string]string{"customfield_10010": `{"value": "{{.Grade}}"}`},
	})
	if err != nil {
		log.Fatal(err)
	}
	receiver.On(r, "scan.completed", issues.Handle)
	receiver.On(r, "alert.triggered", issues.Handle)
	_ = r.Run(context.Background())
}
