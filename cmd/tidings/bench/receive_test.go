package bench_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/cmd/tidings/bench"
)

// The targets must do what the scenes are named after; otherwise everything would be met.
func TestTargetsBehaveAsTold(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, saying := io.Pipe()
	go func() { _ = saying.CloseWithError(bench.Receive(ctx, 5, saying)) }()
	var ready struct {
		Control string
		Targets []string
	}
	if err := json.NewDecoder(said).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	send := func(url, body string, patience time.Duration) (int, string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return res.StatusCode, string(text), err
	}
	const patience = 350 * time.Millisecond
	order := bench.Document(7, time.Unix(1_790_000_000, 0))
	for target, as := range []bench.Behaviour{bench.Well, bench.Hang, bench.Refuse, bench.Errs, bench.Drip} {
		text, _ := json.Marshal(map[string]any{"Targets": []int{target}, "As": as})
		if code, answer, err := send(ready.Control+"/behave", string(text), time.Minute); err != nil || code != http.StatusOK {
			t.Fatal(code, answer, err)
		}
		limit := patience
		if as == bench.Well || as == bench.Errs || as == bench.Refuse {
			limit = time.Minute // nothing is waited for
		}
		code, answer, err := send(ready.Targets[target], order, limit)
		good := false
		switch as {
		case bench.Well:
			good = code == http.StatusOK && len(answer) == 200 && err == nil
		case bench.Hang, bench.Refuse:
			good = code == 0 && err != nil
		case bench.Errs:
			good = code == http.StatusInternalServerError
		case bench.Drip:
			good = code == http.StatusOK && strings.HasPrefix(answer, "..") && err != nil
		}
		if !good {
			t.Errorf("%s: %d, %d bytes, %v", as, code, len(answer), err)
		}
	}
	code, text, err := send(ready.Control+"/arrivals", "", time.Minute)
	if code != http.StatusMethodNotAllowed || err != nil {
		t.Error("POST /arrivals:", code, text, err)
	}
	res, err := http.Get("http://" + ready.Control + "/arrivals")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	var all [][]bench.Arrival
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&all); err != nil {
		t.Fatal(err)
	}
	for target, want := range []int{1, 1, 0, 1, 1} { // one that refuses sees nothing
		if len(all[target]) != want || want == 1 && all[target][0].Seq != 7 {
			t.Errorf("target %d: %+v", target, all[target])
		}
	}
}
