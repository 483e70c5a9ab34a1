package api

import (
	"cmp"
	"context"
	"time"

	"github.com/compliancelayer/compliancelayer/client"
	"github.com/compliancelayer/compliancelayer/internal/auth"
	"github.com/compliancelayer/compliancelayer/internal/manage"
)

func (s *Server) stats(ctx context.Context, caller auth.Caller, in client.StatsQuery) (client.Stats, error) {
	var window time.Duration
	if in.Window != "" {
		var err error
		if window, err = duration("window", in.Window); err != nil {
			return client.Stats{}, err
		}
	}
	st, err := s.Manager.Stats(ctx, caller, manage.GetStats{EndpointID: in.EndpointID, Window: window})
	return client.Stats{
		From: client.At(st.From), To: client.At(st.To),
		Health:  healthTo(cmp.Or(in.Window, "24h"), st.Summary),
		Retries: st.Retries,
		StepS:   int(st.Step / time.Second),
		Series:  each(st.Series, pointTo),
	}, err
}

func pointTo(p manage.Point) client.Point {
	out := client.Point{
		At: client.At(p.At), Succeeded: p.Succeeded, Failed: p.Failed, Retries: p.Retries,
		Delivered: p.Delivered, Dead: p.Dead,
	}
	if p.Succeeded+p.Failed > 0 {
		out.P50, out.P95 = latencyTo(p.P50), latencyTo(p.P95)
	}
	return out
}
