package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/compliancelayer/compliancelayer/internal/delivery"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

// chart is bars of one height scale, drawn by the template as SVG.
type chart struct {
	Width, Height int
	Bars          []bar
	Most          string // what the highest bar stands for
	From, To      string // of the axis
}

// bar is a step: what went wrong stands on top of what went well.
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

// step is a bar before it is drawn, in units of its own.
type step struct {
	at         time.Time
	ok, failed float64
	worst      time.Duration // of slownessOf
	title      string
}

// steps puts the points of a series together to as many as a chart has bars.
func steps(series []manage.Point, add func(*step, manage.Point)) []step {
	per := max(1, (len(series)+chartBars-1)/chartBars)
	var all []step
	for i, p := range series {
		if i%per == 0 {
			all = append(all, step{at: p.At})
		}
		add(&all[len(all)-1], p)
	}
	return all
}

// draw draws steps. unit writes what the highest one stands for.
func draw(stats manage.Stats, all []step, unit func(float64) string) chart {
	c := chart{Width: chartWidth, Height: chartHeight, From: stats.From.Format("Jan 2, 15:04"), To: stats.To.Format("15:04") + " UTC"}
	most := 0.0
	for _, one := range all {
		most = max(most, one.ok+one.failed)
	}
	if most == 0 {
		return c
	}
	c.Most = unit(most)
	wide, high := float64(chartWidth)/float64(len(all)), float64(chartHeight)/most
	for i, one := range all {
		if one.ok+one.failed == 0 {
			continue
		}
		b := bar{X: float64(i)*wide + 1, Width: wide - 2, Ok: one.ok * high, Failed: one.failed * high, Title: one.title}
		b.OkY = chartHeight - b.Ok
		b.FailY = b.OkY - b.Failed
		c.Bars = append(c.Bars, b)
	}
	return c
}

// barsOf draws the attempts of a day.
func barsOf(stats manage.Stats) chart {
	all := steps(stats.Series, func(s *step, p manage.Point) {
		s.ok, s.failed = s.ok+float64(p.Succeeded), s.failed+float64(p.Failed)
		s.title = fmt.Sprintf("%s: %.0f succeeded, %.0f failed", s.at.Format("15:04"), s.ok, s.failed)
	})
	return draw(stats, all, func(most float64) string { return fmt.Sprintf("%.0f", most) })
}

// slownessOf draws how long the attempts of a day took: within what time 95 in 100 had ended, in the worst minutes of each
// step. What took longer than a receiver may is drawn as wrong.
func slownessOf(stats manage.Stats) chart {
	all := steps(stats.Series, func(s *step, p manage.Point) {
		s.worst = max(s.worst, p.P95)
		took := manage.Bound(s.worst).Seconds()
		s.ok, s.failed = took, 0
		if s.worst > delivery.SlowAfter {
			s.ok, s.failed = 0, took
		}
		s.title = fmt.Sprintf("%s, 95 of 100: %s", s.at.Format("15:04"), within(s.worst))
	})
	worst := time.Duration(0)
	for _, one := range all {
		worst = max(worst, one.worst)
	}
	return draw(stats, all, func(float64) string { return within(worst) })
}

// spark is the small chart of a table's row: the attempts of each hour of a day, and above them how long they took.
type spark struct {
	Width, Height int
	Ok, Failed    string // the bars, each kind as one path: a page has many charts
	Line          string // the points of a polyline: 95 of 100 attempts took no longer
	Says          string // in words, for those who do not see it
}

const (
	sparkWidth  = 96
	sparkHeight = 24
)

// sparkOf draws the hours of an endpoint's day.
func sparkOf(hours []manage.Point) spark {
	c := spark{Width: sparkWidth, Height: sparkHeight}
	most, slowest, attempts := 1, time.Millisecond, 0
	for _, h := range hours {
		most, slowest, attempts = max(most, h.Succeeded+h.Failed), max(slowest, h.P95), attempts+h.Succeeded+h.Failed
	}
	if attempts == 0 {
		c.Says = "no attempts in 24 hours"
		return c
	}
	wide, high := float64(sparkWidth)/float64(len(hours)), float64(sparkHeight)/float64(most)
	var line []string
	for i, h := range hours {
		if h.Succeeded+h.Failed == 0 {
			continue
		}
		x, ok, failed := float64(i)*wide, float64(h.Succeeded)*high, float64(h.Failed)*high
		c.Ok += upright(x, sparkHeight, wide-0.5, ok)
		c.Failed += upright(x, sparkHeight-ok, wide-0.5, failed)
		line = append(line, fmt.Sprintf("%.1f,%.1f", x+wide/2, sparkHeight-float64(sparkHeight-2)*float64(manage.Bound(h.P95))/float64(manage.Bound(slowest))))
	}
	if len(line) > 1 {
		c.Line = strings.Join(line, " ")
	}
	c.Says = fmt.Sprintf("%d attempts in 24 hours, 95 of 100 in the slowest hour: %s", attempts, within(slowest))
	return c
}

// upright is a bar that stands at a point, as a piece of a path.
func upright(x, y, width, height float64) string {
	if height == 0 {
		return ""
	}
	return fmt.Sprintf("M%.4g %.4gh%.4gv%.4gh%.4gz", x, y, width, -height, -width)
}

// phase is a part of the time that an attempt took, as a piece of a bar of 100 units.
type phase struct {
	Name     string
	X, Width float64
	Took     time.Duration
}

// phasesOf cuts the time of an attempt into its parts. What is in none of them went into sending and reading.
func phasesOf(t delivery.Timing) []phase {
	total := max(t.Total, t.DNS+t.Connect+t.TLS+t.FirstByte)
	if total == 0 {
		return nil
	}
	var all []phase
	x := 0.0
	for _, p := range []phase{{Name: "dns", Took: t.DNS}, {Name: "connect", Took: t.Connect}, {Name: "tls", Took: t.TLS}, {Name: "wait", Took: t.FirstByte}, {Name: "rest", Took: total - t.DNS - t.Connect - t.TLS - t.FirstByte}} {
		if p.Took <= 0 {
			continue
		}
		p.X, p.Width = x, 100*float64(p.Took)/float64(total)
		x += p.Width
		all = append(all, p)
	}
	return all
}
