package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const cpuMetric = "process_cpu_seconds_total"

var ownProcess = sync.OnceValue(func() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
})

// ownCPU is the CPU time of this process so far, in seconds; 0 where the machine does not tell.
func ownCPU() float64 {
	families, _ := ownProcess().Gather()
	for _, f := range families {
		if f.GetName() == cpuMetric {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

// usage is what a stand has used since it began.
type usage struct {
	Commands float64            // of Redis, those inside scripts too
	Bytes    float64            // that Redis read from and wrote to its connections
	Memory   float64            // that Redis holds
	CPU      map[string]float64 // seconds, by process
	Metrics  map[string]float64 // of Tidings, by name with labels
}

func (s *stand) usage(ctx context.Context) (u usage, err error) {
	u.CPU = map[string]float64{"bench": ownCPU()}
	if u.CPU["receivers"], err = s.receivers.number(ctx, "/cpu"); err != nil {
		return u, err
	}
	if s.rdb != nil {
		if err := s.redisUsage(ctx, &u); err != nil {
			return u, err
		}
	}
	if s.tidings != nil {
		if u.Metrics, err = s.metrics(ctx); err != nil {
			return u, err
		}
		u.CPU["tidings"] = u.Metrics[cpuMetric]
	}
	return u, nil
}

func (s *stand) redisUsage(ctx context.Context, u *usage) error {
	info, err := s.rdb.Info(ctx, "all").Result()
	if err != nil {
		return fmt.Errorf("read what Redis used: %w", err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "total_net_input_bytes", "total_net_output_bytes":
			u.Bytes += number(value)
		case "used_memory":
			u.Memory = number(value)
		case "used_cpu_sys", "used_cpu_user":
			u.CPU["redis"] += number(value)
		}
		if strings.HasPrefix(name, "cmdstat_") {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			u.Commands += number(calls)
		}
	}
	return nil
}

func (s *stand) metrics(ctx context.Context) (map[string]float64, error) {
	text, err := ask(ctx, http.MethodGet, s.base+"/metrics", nil, http.Header{"Authorization": {"Bearer " + s.token}})
	if err != nil {
		return nil, fmt.Errorf("read the metrics of Tidings: %w", err)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if i := strings.LastIndexByte(strings.TrimSpace(line), ' '); i > 0 && line[0] != '#' {
			all[line[:i]] = number(strings.TrimSpace(line[i:]))
		}
	}
	return all, nil
}

// number of a text that a machine wrote; 0 when it is none.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// since is what was used between two moments.
func (u usage) since(before usage) usage {
	d := usage{Commands: u.Commands - before.Commands, Bytes: u.Bytes - before.Bytes, Memory: u.Memory - before.Memory,
		CPU: map[string]float64{}, Metrics: map[string]float64{}}
	for name, n := range u.CPU {
		d.CPU[name] = n - before.CPU[name]
	}
	for name, n := range u.Metrics {
		d.Metrics[name] = n - before.Metrics[name]
	}
	return d
}

// labelled sums a metric's series by the value of one label, leaving out what is 0.
func (u usage) labelled(metric, label string) map[string]int {
	sums := map[string]int{}
	for series, n := range u.Metrics {
		labels, of := strings.CutPrefix(series, metric+"{")
		_, rest, has := strings.Cut(labels, label+`="`)
		value, _, _ := strings.Cut(rest, `"`)
		if of && has && n > 0 {
			sums[value] += int(n)
		}
	}
	return sums
}
