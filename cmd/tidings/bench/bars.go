package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Bar is a promise of speed, and what was measured of it.
type Bar struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit,omitempty"`
	Least    float64 `json:"atLeast,omitempty"` // one of these two
	Most     float64 `json:"atMost,omitempty"`
	Measured float64 `json:"measured"`
	Met      bool    `json:"met"`
}

func atLeast(name, unit string, bar, measured float64) Bar {
	return Bar{Name: name, Unit: unit, Least: bar, Measured: measured, Met: measured >= bar}
}

func atMost(name, unit string, bar, measured float64) Bar {
	return Bar{Name: name, Unit: unit, Most: bar, Measured: measured, Met: measured <= bar}
}

func printBars(to io.Writer, bars []Bar) {
	if len(bars) == 0 {
		return
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, b := range bars {
		limit := fmt.Sprintf("<= %.5g", b.Most)
		if b.Most == 0 {
			limit = fmt.Sprintf(">= %.5g", b.Least)
		}
		fmt.Fprintf(w, "  %s\t%s %s\t%.4g\t%s\n", b.Name, limit, b.Unit, b.Measured, met(b.Met))
	}
	fmt.Fprint(to, "Bars:\n")
	_ = w.Flush()
}
