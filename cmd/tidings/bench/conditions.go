package bench

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// Conditions of a measurement: without them its figures say nothing.
type Conditions struct {
	At      time.Time `json:"at"`
	CPUs    int       `json:"cpus"`
	System  string    `json:"system"`
	Go      string    `json:"go"`
	Redis   string    `json:"redis"`
	Load    string    `json:"loadAverageBefore,omitempty"` // of the machine: what else was running
	Rounds  int       `json:"rounds"`
	Rate    int       `json:"changesPerSecond"`      // of the steady loads
	Seconds float64   `json:"seconds"`               // that each run is measured
	Idle    float64   `json:"idleSeconds,omitempty"` // that Tidings was watched doing nothing
	Body    int       `json:"bodyBytes"`
	Fanout  int       `json:"notificationsOfAnOrder,omitempty"` // where it is one for all
	Beside  bool      `json:"sideBySide,omitempty"`             // runs and their baselines were made at the same time
}

func conditions(ctx context.Context, cfg Config) (Conditions, error) {
	c := Conditions{At: time.Now().UTC().Truncate(time.Second), CPUs: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Load: loadAverage(), Body: len(document(0, time.Now()))}
	s, err := newStand(ctx, cfg, parts{redis: true})
	if err != nil {
		return c, err
	}
	defer s.close()
	info, err := s.rdb.InfoMap(ctx, "server").Result()
	if err != nil {
		return c, fmt.Errorf("ask Redis for its version: %w", err)
	}
	own, err := s.rdb.ClientInfo(ctx).Result()
	if err != nil {
		return c, fmt.Errorf("ask Redis how it is reached: %w", err)
	}
	over := "unix socket"
	if strings.HasPrefix(own.Addr, "127.0.0.1:") {
		over = "TCP"
	}
	c.Redis = info["Server"]["redis_version"] + ", appendonly yes, appendfsync everysec, " + over
	return c, nil
}

func (c Conditions) String() string {
	text := fmt.Sprintf("%s; %d CPUs, %s, %s; Redis %s; %d B bodies; %d rounds",
		c.At.Format(time.RFC3339), c.CPUs, c.System, c.Go, c.Redis, c.Body, c.Rounds)
	if c.Seconds > 0 {
		text += fmt.Sprintf(" of %g s, steady load %d changes/s", c.Seconds, c.Rate)
	}
	if c.Fanout > 0 {
		text += fmt.Sprintf(", notifications of an order: %d", c.Fanout)
	}
	if c.Beside {
		text += ", each run beside its baseline"
	}
	if c.Load != "" {
		text += "; load average before: " + c.Load
	}
	return text
}
