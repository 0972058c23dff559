package bench

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// receivers is the bench's side of the process that plays the targets.
type receivers struct {
	process *process
	control string
	targets []string // host:port
}

func startReceivers(ctx context.Context, cfg Config, dir string, n int) (*receivers, error) {
	p, line, err := startProcess(ctx, cfg, dir, "receive", "--targets", strconv.Itoa(n))
	if err != nil {
		return nil, err
	}
	var say ready
	if err := json.Unmarshal([]byte(line), &say); err != nil || len(say.Targets) != n {
		p.kill()
		return nil, fmt.Errorf("start the receivers: they said %q", line)
	}
	return &receivers{process: p, control: "http://" + say.Control, targets: say.Targets}, nil
}

func (r *receivers) url(target int) string { return "http://" + r.targets[target] + "/orders" }

func (r *receivers) behave(ctx context.Context, as Behaviour, which []int) error {
	text, err := json.Marshal(order{which, as})
	if err != nil {
		return err
	}
	_, err = ask(ctx, http.MethodPost, r.control+"/behave", text, nil)
	return err
}

func (r *receivers) arrivals(ctx context.Context) (all [][]Arrival, err error) {
	text, err := ask(ctx, http.MethodGet, r.control+"/arrivals", nil, nil)
	if err != nil {
		return nil, err
	}
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&all); err != nil {
		return nil, fmt.Errorf("read the arrivals: %w", err)
	}
	return all, nil
}

func (r *receivers) number(ctx context.Context, of string) (float64, error) {
	text, err := ask(ctx, http.MethodGet, r.control+of, nil, nil)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(string(text), 64)
}

// awaitCount waits until so many requests have arrived, at most patience, and reports whether they have.
func (r *receivers) awaitCount(ctx context.Context, n int, patience time.Duration) (bool, error) {
	for deadline := time.Now().Add(patience); ; {
		count, err := r.number(ctx, "/count")
		if err != nil || int(count) >= n {
			return err == nil, err
		}
		if time.Now().After(deadline) {
			return false, nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// ask makes one request of ours, and wants a 2xx.
func ask(ctx context.Context, method, url string, body []byte, header http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %s", method, url, res.StatusCode, text)
	}
	return text, err
}
