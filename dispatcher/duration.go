package dispatcher

import (
	"fmt"
	"time"
)

// Duration is a time.Duration spelled as Go spells it ("5s", "2h30m") in JSON.
type Duration time.Duration

// D returns the standard library's duration.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String gives the shortest spelling: "2h", not "2h0m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	for _, tail := range []string{"m0s", "h0m"} {
		if len(s) > len(tail) && s[len(s)-len(tail):] == tail {
			s = s[:len(s)-2]
		}
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("expected a duration such as \"10s\" or \"2h\"")
	}
	*d = Duration(parsed)
	return nil
}
