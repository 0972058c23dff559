package bench

import (
	"os"
	"strings"
)

// loadAverage of the last 1, 5 and 15 minutes; "" where the system does not tell in /proc.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(text)); err == nil && len(fields) >= 3 {
		return strings.Join(fields[:3], " ")
	}
	return ""
}
