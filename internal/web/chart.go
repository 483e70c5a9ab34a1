package web

import (
	"fmt"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// chart is bars of one height scale, drawn by the template as SVG.
type chart struct {
	Width, Height int
	Bars          []bar
	Most          int    // attempts in the highest bar
	From, To      string // of the axis
}

// bar is a step: failures stand on top of successes.
type bar struct {
	X, Width      float64
	Ok, OkY       float64 // height and top, in the chart's units
	Failed, FailY float64
	Title         string
}

const (
	chartWidth  = 720
	chartHeight = 120
	chartBars   = 48 // half an hour each of a day
)

// barsOf draws the attempts of a day.
func barsOf(stats manage.Stats) chart {
	c := chart{Width: chartWidth, Height: chartHeight, From: stats.From.Format("Jan 2, 15:04"), To: stats.To.Format("15:04") + " UTC"}
	per := max(1, (len(stats.Series)+chartBars-1)/chartBars)
	type sum struct {
		at         time.Time
		ok, failed int
	}
	var sums []sum
	for i, p := range stats.Series {
		if i%per == 0 {
			sums = append(sums, sum{at: p.At})
		}
		last := &sums[len(sums)-1]
		last.ok += p.Succeeded
		last.failed += p.Failed
		c.Most = max(c.Most, last.ok+last.failed)
	}
	if c.Most == 0 {
		return c
	}
	step := float64(chartWidth) / float64(len(sums))
	unit := float64(chartHeight) / float64(c.Most)
	for i, one := range sums {
		if one.ok+one.failed == 0 {
			continue
		}
		b := bar{X: float64(i)*step + 1, Width: step - 2, Ok: float64(one.ok) * unit, Failed: float64(one.failed) * unit}
		b.OkY = chartHeight - b.Ok
		b.FailY = b.OkY - b.Failed
		b.Title = fmt.Sprintf("%s: %d succeeded, %d failed", one.at.Format("15:04"), one.ok, one.failed)
		c.Bars = append(c.Bars, b)
	}
	return c
}

// alert is one of the four conditions that the health of an endpoint is judged by.
type alert struct {
	Name string
	Now  string // as it is
	Bad  bool
}

// The thresholds of the health of an endpoint (the seed document, monitoring).
const (
	mostFailing = 0.10             // of the attempts
	slowAnswer  = 10 * time.Second // of half of the answers
	mostRetries = 0.20             // of the attempts were not a delivery's first
)

func alertsOf(e endpointRow, stats manage.Stats) []alert {
	failing, retries := 1-stats.SuccessRate, 0.0
	if stats.Attempts > 0 {
		retries = float64(stats.Retries) / float64(stats.Attempts)
	}
	return []alert{
		{"Failing attempts", percent(failing) + " of " + fmt.Sprint(stats.Attempts), failing > mostFailing},
		{"Slow answers", "95 % within " + short(stats.P95), stats.P95 > slowAnswer},
		{"Repeated attempts", percent(retries), retries > mostRetries},
		{"Disabled", map[bool]string{true: "yes", false: "no"}[e.State == delivery.Disabled], e.State == delivery.Disabled},
	}
}
