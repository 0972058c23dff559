package dispatcher_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// documented are the delays of design.md §4, "at once" left out.
var documented = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

func durations(all ...time.Duration) (d []dispatcher.Duration) {
	for _, one := range all {
		d = append(d, dispatcher.Duration(one))
	}
	return d
}

// ladder plays a policy until it gives up and returns the delays between the attempts, without jitter.
func ladder(r dispatcher.Retry, v dispatcher.Verdict) (delays []time.Duration) {
	for counted := 1; ; counted++ {
		delay, again := r.Next(counted, v, 0)
		if !again {
			return delays
		}
		delays = append(delays, delay)
	}
}

func TestNextFollowsTheSchedule(t *testing.T) {
	t.Parallel()
	full := dispatcher.Verdict{Outcome: dispatcher.Failed, Ladder: dispatcher.LadderFull}
	short := dispatcher.Verdict{Outcome: dispatcher.Failed, Ladder: dispatcher.LadderShort}
	none := dispatcher.Verdict{Outcome: dispatcher.Failed, Ladder: dispatcher.LadderNone}
	own := durations(time.Second, time.Minute)
	for _, row := range []struct {
		name    string
		policy  dispatcher.Retry
		verdict dispatcher.Verdict
		want    []time.Duration
	}{
		{"default", dispatcher.Retry{}, full, documented},
		{"default, short ladder", dispatcher.Retry{}, short, documented[:2]},
		{"default, no ladder", dispatcher.Retry{}, none, nil},
		{"own schedule gives its own number of attempts", dispatcher.Retry{Schedule: own}, full,
			[]time.Duration{time.Second, time.Minute}},
		{"the last delay repeats", dispatcher.Retry{MaxAttempts: 5, Schedule: own}, full,
			[]time.Duration{time.Second, time.Minute, time.Minute, time.Minute}},
		{"fewer attempts than delays", dispatcher.Retry{MaxAttempts: 2, Schedule: own}, full, []time.Duration{time.Second}},
		{"one attempt is sent once", dispatcher.Retry{MaxAttempts: 1}, full, nil},
		{"more attempts than the default", dispatcher.Retry{MaxAttempts: 14}, full,
			append(append([]time.Duration(nil), documented...), 24*time.Hour, 24*time.Hour)},
		{"own schedule, short ladder", dispatcher.Retry{MaxAttempts: 50, Schedule: own}, short,
			[]time.Duration{time.Second, time.Minute}},
		{"a short ladder is not longer than the policy", dispatcher.Retry{MaxAttempts: 2}, short, documented[:1]},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := ladder(row.policy, row.verdict); !equal(got, row.want) {
				t.Errorf("delays %v, want %v", got, row.want)
			}
		})
	}
	if n := (dispatcher.Retry{}).Attempts(); n != 12 {
		t.Errorf("the default policy allows %d attempts, want 12", n)
	}
}

func equal(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestNextJitters(t *testing.T) {
	t.Parallel()
	v := dispatcher.Verdict{Outcome: dispatcher.Failed, Ladder: dispatcher.LadderFull}
	for i, base := range documented {
		for _, random := range []float64{0, 0.25, 0.5, 0.999999} {
			got, again := (dispatcher.Retry{}).Next(i+1, v, random)
			want := base + time.Duration(random*float64(base)/5)
			if !again || got < base || got >= base+base/5 || (got-want).Abs() > time.Microsecond {
				t.Errorf("after %d attempts, random %v: %v, %v; want about %v", i+1, random, got, again, want)
			}
		}
	}
}

func TestRetryAfterOnlyDelays(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		counted     int
		asked, want time.Duration
	}{
		{1, 0, 5 * time.Second},
		{1, time.Second, 5 * time.Second}, // never shortens
		{1, time.Minute, time.Minute},
		{1, 24 * time.Hour, 24 * time.Hour},
		{1, 1000 * time.Hour, 24 * time.Hour}, // capped, however the verdict came to be
		{11, time.Hour, 24 * time.Hour},
	} {
		v := dispatcher.Verdict{Outcome: dispatcher.Failed, Ladder: dispatcher.LadderFull, RetryAfter: row.asked}
		if got, again := (dispatcher.Retry{}).Next(row.counted, v, 0); !again || got != row.want {
			t.Errorf("after %d, asked %v: %v, %v; want %v", row.counted, row.asked, got, again, row.want)
		}
	}
	v := dispatcher.Verdict{Outcome: dispatcher.Failed, Ladder: dispatcher.LadderFull, RetryAfter: time.Minute}
	if _, again := (dispatcher.Retry{}).Next(12, v, 0); again {
		t.Error("Retry-After brings an attempt that the policy does not have")
	}
	long := dispatcher.Retry{Schedule: durations(72 * time.Hour)}
	v.RetryAfter = 1000 * time.Hour
	if got, _ := long.Next(1, v, 0); got != 72*time.Hour {
		t.Errorf("the cap of Retry-After shortens an own delay of 72h to %v", got)
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"120", 2 * time.Minute, true},
		{" 120 ", 2 * time.Minute, true},
		{"0", 0, true},
		{"0000000000000000000000000005", 5 * time.Second, true}, // more digits than a number of 64 bits has, and yet 5
		{"86400", 24 * time.Hour, true},
		{"86401", 24 * time.Hour, true},
		{"99999999999999999999999999", 24 * time.Hour, true},    // more than fits
		{"9223372036854775807", 24 * time.Hour, true},           // fits, but not as nanoseconds
		{"Sun, 29 Mar 2026 12:01:00 GMT", time.Minute, true},    // IMF-fixdate
		{"Sunday, 29-Mar-26 12:01:00 GMT", time.Minute, true},   // RFC 850: a recipient must accept it
		{"Sun Mar 29 12:01:00 2026", time.Minute, true},         // asctime: likewise
		{"Sun, 29 Mar 2026 11:59:00 GMT", 0, true},              // past
		{"Mon, 01 Jan 0001 00:00:00 GMT", 0, true},              // so far past that the difference overflows
		{"Fri, 31 Dec 9999 23:59:59 GMT", 24 * time.Hour, true}, // so far ahead that it does
		{"", 0, false}, {"   ", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"1.5", 0, false}, {"1e3", 0, false},
		{"0x10", 0, false}, {"１２", 0, false}, {"5s", 0, false}, {"soon", 0, false}, {"120, 60", 0, false},
		{"2026-03-29T12:01:00Z", 0, false}, // no HTTP date
	} {
		got, ok := dispatcher.ParseRetryAfter(row.text, now)
		if got != row.want || ok != row.ok {
			t.Errorf("%q: %v, %v; want %v, %v", row.text, got, ok, row.want, row.ok)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{"120", "0", "-1", "99999999999999999999", "Sun, 29 Mar 2026 12:01:00 GMT", "x", ""} {
		f.Add(seed, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		now := time.Unix(unix%(1<<40), 0)
		got, ok := dispatcher.ParseRetryAfter(text, now)
		if got < 0 || got > 24*time.Hour {
			t.Fatalf("%q gives %v, outside 0..24h", text, got)
		}
		text = strings.TrimSpace(text)
		_, dateErr := http.ParseTime(text)
		digits := text != "" && strings.Trim(text, "0123456789") == ""
		if ok != (digits || dateErr == nil) {
			t.Fatalf("%q is taken = %v", text, ok)
		}
		if seconds, err := strconv.ParseUint(text, 10, 32); err == nil && digits {
			if want := min(time.Duration(seconds)*time.Second, 24*time.Hour); got != want {
				t.Fatalf("%q gives %v, want %v", text, got, want)
			}
		}
	})
}
