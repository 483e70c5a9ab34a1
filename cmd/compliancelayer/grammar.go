package main

// grammar is the command line. The order is that of the help.
type grammar struct {
	Config settingsFile `setting:"" help:"Settings file (YAML): named as the variables in lower case and without COMPLIANCELAYER_, such as \"retention: 30d\". A flag beats the environment, which beats the file." placeholder:"FILE"`

	Demo demoCmd `cmd:"" group:"try" help:"The whole story in one command, with nothing to set up."`

	Serve   serveCmd   `cmd:"" group:"run" help:"Run the server: API, dispatcher and all, in one process."`
	Migrate migrateCmd `cmd:"" group:"run" help:"Bring a database up to date without serving it."`
	Backup  backupCmd  `cmd:"" group:"run" help:"Copy a SQLite database, also while it is being served."`
	Doctor  doctorCmd  `cmd:"" group:"run" help:"Check settings, database, key, disk, port and name resolution."`

	Endpoints   endpointsCmd   `cmd:"" group:"use" help:"Endpoints, their secrets, tests and state."`
	Events      eventsCmd      `cmd:"" group:"use" help:"Publish events and look at them."`
	EventTypes  eventTypesCmd  `cmd:"" group:"use" help:"The catalogue of event types."`
	Deliveries  deliveriesCmd  `cmd:"" group:"use" help:"Deliveries, their attempts, retries."`
	DeadLetters deadLettersCmd `cmd:"" group:"use" help:"What failed for good."`
	Jobs        jobsCmd        `cmd:"" group:"use" help:"Bulk changes and how far they are."`
	Stats       statsCmd       `cmd:"" group:"use" help:"Counts, success rate and latency."`
	Alerts      alertsCmd      `cmd:"" group:"use" help:"What the health watch found."`
	Keys        keysCmd        `cmd:"" group:"use" help:"API keys."`
	Accounts    accountsCmd    `cmd:"" group:"use" help:"Accounts, for the operator."`

	Trigger triggerCmd `cmd:"" group:"build" help:"Publish the sample of an event type."`
	Listen  listenCmd  `cmd:"" group:"build" help:"Stream the server's events here and on to a local URL, signed as the real thing."`
	Relay   relayCmd   `cmd:"" group:"build" help:"Receive webhooks and pass them on to Slack, PagerDuty, Jira, Datadog, a webhook, a file or a command."`
	Receive receiveCmd `cmd:"" group:"build" help:"A receiver to test against: prints and verifies what arrives."`
	Sign    signCmd    `cmd:"" group:"build" help:"Sign standard input."`
	Verify  verifyCmd  `cmd:"" group:"build" help:"Verify the signature of standard input, or say what is wrong with it."`

	Completion completionCmd `cmd:"" group:"other" help:"Print a completion script for bash, zsh or fish."`
	Version    versionCmd    `cmd:"" group:"other" help:"Print the version."`
	Complete   completeCmd   `cmd:"" hidden:"" name:"__complete" help:"Complete a command line."`
}
