package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/compliancelayer/compliancelayer/client"
)

// statsCmd prints numbers.
type statsCmd struct {
	remote
	Endpoint string `help:"Only this endpoint; left out, the whole account." placeholder:"ID"`
	Window   string `help:"How far back: 1m to 30d." default:"24h"`
}

// Run prints counts, rates and a small chart.
func (s *statsCmd) Run(ctx context.Context, c *console) error {
	return ask(c, &s.remote, func(cl *client.Client) (client.Stats, error) {
		return cl.Stats(ctx, client.StatsQuery{EndpointID: s.Endpoint, Window: s.Window})
	}, func(c *console, stats client.Stats) {
		c.details(
			field{"from", at(stats.From)}, field{"to", at(stats.To)},
			field{"attempts", strconv.Itoa(stats.Attempts)}, field{"succeeded", strconv.Itoa(stats.Succeeded)},
			field{"not", strconv.Itoa(stats.Attempts - stats.Succeeded)}, field{"retries", strconv.Itoa(stats.Retries)},
			field{"success rate", percent(stats.SuccessRate)},
			field{"half within", millis(stats.P50)}, field{"95 % within", millis(stats.P95)}, field{"99 % within", millis(stats.P99)},
			field{"deliveries done", strconv.Itoa(stats.Delivered)}, field{"dead letters", strconv.Itoa(stats.Dead)},
			field{"attempts in time", spark(stats.Series, c.width-20)},
		)
	})
}

// spark draws attempts over time as a line of blocks, at most width of them.
func spark(series []client.Point, width int) string {
	if len(series) == 0 || width < 1 {
		return ""
	}
	group := (len(series) + width - 1) / width
	sums := make([]int, 0, width)
	most := 0
	for start := 0; start < len(series); start += group {
		sum := 0
		for _, p := range series[start:min(start+group, len(series))] {
			sum += p.Succeeded + p.Failed
		}
		sums = append(sums, sum)
		most = max(most, sum)
	}
	if most == 0 {
		return ""
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, sum := range sums {
		b.WriteRune(blocks[(sum*(len(blocks)-1)+most-1)/most])
	}
	return b.String()
}
