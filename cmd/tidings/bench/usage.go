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

// What every process of Tidings tells of itself.
const (
	cpuMetric       = "process_cpu_seconds_total"
	residentMetric  = "process_resident_memory_bytes"
	allocatedMetric = "go_memstats_alloc_bytes_total"
)

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
	Reads    float64            // how often Redis read from a connection
	Bytes    float64            // that Redis read from and wrote to its connections
	Memory   float64            // that Redis holds, without its buffers for connections and its file
	CPU      map[string]float64 // seconds, by process
	Metrics  map[string]float64 // of Tidings, by name with labels; of several processes the sum
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
	if len(s.tidings) > 0 {
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
	u.read(info)
	return nil
}

// read takes what Redis tells by INFO.
func (u *usage) read(info string) {
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "mem_clients_normal", "mem_aof_buffer":
			u.Memory -= number(value)
		case "total_net_input_bytes", "total_net_output_bytes":
			u.Bytes += number(value)
		case "total_reads_processed":
			u.Reads = number(value)
		case "used_memory":
			u.Memory += number(value)
		case "used_cpu_sys", "used_cpu_user":
			u.CPU["redis"] += number(value)
		}
		if strings.HasPrefix(name, "cmdstat_") {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			u.Commands += number(calls)
		}
	}
}

func (s *stand) metrics(ctx context.Context) (map[string]float64, error) {
	all := map[string]float64{}
	for _, t := range s.tidings {
		text, err := ask(ctx, http.MethodGet, t.base+"/metrics", nil, http.Header{"Authorization": {"Bearer " + s.token}})
		if err != nil {
			return nil, fmt.Errorf("read the metrics of Tidings: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if i := strings.LastIndexByte(strings.TrimSpace(line), ' '); i > 0 && line[0] != '#' {
				all[line[:i]] += number(strings.TrimSpace(line[i:]))
			}
		}
	}
	return all, nil
}

// resident is the memory of the processes of Tidings, in bytes, as the machine counts it.
func (s *stand) resident(ctx context.Context) (float64, error) {
	m, err := s.metrics(ctx)
	return m[residentMetric], err
}

// number of a text that a machine wrote; 0 when it is none.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// since is what was used between two moments.
func (u usage) since(before usage) usage {
	d := usage{Commands: u.Commands - before.Commands, Reads: u.Reads - before.Reads, Bytes: u.Bytes - before.Bytes,
		Memory: u.Memory - before.Memory, CPU: map[string]float64{}, Metrics: map[string]float64{}}
	for name, n := range u.CPU {
		d.CPU[name] = n - before.CPU[name]
	}
	for name, n := range u.Metrics {
		d.Metrics[name] = n - before.Metrics[name]
	}
	return d
}

// Cost is what one delivery (where only changes are taken: one change) used.
type Cost struct {
	Commands   float64            `json:"redisCommands,omitempty"`     // those inside scripts, too
	RoundTrips float64            `json:"redisRoundTrips,omitempty"`   // as Redis counts its reads of a connection
	Bytes      float64            `json:"redisNetworkBytes,omitempty"` // in and out
	Memory     float64            `json:"redisMemoryBytes,omitempty"`  // that Redis holds more than before
	Allocated  float64            `json:"tidingsAllocatedBytes,omitempty"`
	CPU        map[string]float64 `json:"cpuMs"` // by process, and "all"
}

// each divides what was used by n.
func (u usage) each(n float64) Cost {
	c := Cost{Commands: ratio(u.Commands, n), RoundTrips: ratio(u.Reads, n), Bytes: ratio(u.Bytes, n), Memory: ratio(u.Memory, n),
		Allocated: ratio(u.Metrics[allocatedMetric], n), CPU: map[string]float64{}}
	for process, seconds := range u.CPU {
		c.CPU[process] = ratio(1000*seconds, n)
		c.CPU["all"] += ratio(1000*seconds, n)
	}
	return c
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
