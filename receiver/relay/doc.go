// Package relay is the receiver kit as a program: it verifies events, keeps them, and
// passes each on by the routes that a file names, to Slack, PagerDuty, Jira, Datadog,
// another webhook, a file or a command. Each route is a lane of the inbox, so one
// whose end is away keeps nobody waiting but itself.
//
// [Read] reads the file, [New] makes a relay of it, [Relay.Run] runs it and
// [Relay.Reload] reads the file again. [Config.Check] tries all routes. The command
// line is not its business.
package relay
