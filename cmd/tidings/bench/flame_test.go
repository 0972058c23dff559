package bench_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/tidings/tidings/cmd/tidings/bench"
)

// Ten seconds: six in serve, which calls encode for four of them, four in generic code, and very little in very many.
func TestFlame(t *testing.T) {
	t.Parallel()
	location := map[string]*profile.Location{}
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}, DurationNanos: int64(8 * time.Second)}
	sample := func(d time.Duration, innermostFirst ...string) {
		s := &profile.Sample{Value: []int64{1, int64(d)}}
		for _, name := range innermostFirst {
			if location[name] == nil {
				f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
				l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
				p.Function, p.Location, location[name] = append(p.Function, f), append(p.Location, l), l
			}
			s.Location = append(s.Location, location[name])
		}
		p.Sample = append(p.Sample, s)
	}
	sample(4*time.Second, "github.com/tidings/tidings/api.(*Server).encode", "net/http.serve")
	sample(2*time.Second, "net/http.serve")
	sample(3990*time.Millisecond, "example.com/a<b/v3.(*T[go.shape.[]example.com/x.U]).F")
	for i := range 1100 { // more than are drawn
		sample(9*time.Microsecond, fmt.Sprintf("runtime.unseen%d", i))
	}
	sample(100*time.Microsecond, "runtime.seen")
	dir := t.TempDir()
	from, to := filepath.Join(dir, "cpu.pprof"), filepath.Join(dir, "cpu.svg")
	file, err := os.Create(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Write(file), file.Close(), bench.Flame(from, to, "Tidings & co")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(strings.NewReader(string(text))); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("no XML: %v\n%s", err, text)
		}
	}
	for _, want := range []string{
		"Tidings &amp; co: 10s of CPU in 8s",
		`<title>http.serve 60.0%</title><rect class="h" x="0.0" y="46" width="720.0"`,
		`<title>api.Server.encode 40.0%</title><rect class="t" x="0.0" y="62" width="480.0"`,
		`a&lt;b.T 39.9%</title><rect class="o" x="720.0" y="46"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "unseen") || !strings.Contains(string(text), "runtime.seen") {
		t.Errorf("the narrowest of too many frames were not what was left out:\n%s", text)
	}
}

func TestFlameOfNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := filepath.Join(dir, "cpu.pprof")
	if err := os.WriteFile(from, []byte("no profile"), 0o600); err != nil {
		t.Fatal(err)
	}
	if bench.Flame(from, filepath.Join(dir, "a.svg"), "") == nil || bench.Flame(filepath.Join(dir, "none"), filepath.Join(dir, "a.svg"), "") == nil {
		t.Error("no profile was drawn")
	}
}
