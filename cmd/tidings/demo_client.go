package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// demoClient calls the API as an adapter of one merchant would.
type demoClient struct {
	base, token string
	http        *http.Client
}

const (
	demoMerchant = "acme"
	demoChannel  = "web"
	demoOrder    = "1001"
	demoAPI      = "/api/v0/checkout"
)

func newDemoClient(base, token string) demoClient {
	return demoClient{base: base, token: token, http: &http.Client{Timeout: 20 * time.Second}}
}

// call sends a body and reads the answer into a value; anything but 2xx is an error.
func (c demoClient) call(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		text = nil
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("X-Merchant", demoMerchant)
	req.Header.Set("X-Channel", demoChannel)
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if !succeeds(res.StatusCode) {
		return fmt.Errorf("%s %s answered %d: %s", method, path, res.StatusCode, strings.TrimSpace(string(answer)))
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s: reading the answer: %w", method, path, err)
	}
	return nil
}

// demoPoll is the time between two questions about the same.
const demoPoll = 20 * time.Millisecond

// ready waits until Tidings says that it is.
func (c demoClient) ready(ctx context.Context) error {
	for {
		err := c.call(ctx, http.MethodGet, "/health/ready", nil, nil)
		if err == nil {
			return nil
		}
		if pause(ctx, demoPoll) != nil {
			return err
		}
	}
}
