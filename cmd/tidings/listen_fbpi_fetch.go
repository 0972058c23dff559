package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// fbpiSource is the API of which noon's flow asks for an order and its customer.
type fbpiSource struct {
	cfg    fbpiConfig
	client *http.Client
}

// The wait before try n+1 is between half of it and the whole of firstWait*2^(n-1), at most longestWait; never less than
// the answer's Retry-After up to longestWait.
const (
	fbpiFirstWait   = 200 * time.Millisecond
	fbpiLongestWait = 5 * time.Second
	fbpiTimeout     = 10 * time.Second
	fbpiAnswerBytes = 4 << 20
)

func newFBPISource(cfg fbpiConfig) fbpiSource {
	return fbpiSource{cfg: cfg, client: &http.Client{
		Timeout:       fbpiTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token goes nowhere else
	}}
}

// fetch asks for the order, then for its customer, and says how many requests it took.
func (s fbpiSource) fetch(ctx context.Context, orderNr string) (order, customer json.RawMessage, requests int, err error) {
	path := "/fbpi/v1/fbpi-order/" + url.PathEscape(orderNr)
	order, requests, err = s.insist(ctx, path+"/get")
	if err != nil {
		return nil, nil, requests, fmt.Errorf("the order: %w", err)
	}
	var named struct {
		OrderNr string `json:"fbpi_order_nr"`
	}
	if err := json.Unmarshal(order, &named); err != nil || named.OrderNr != orderNr {
		return nil, nil, requests, fmt.Errorf("the order: the answer is about %q", named.OrderNr)
	}
	customer, more, err := s.insist(ctx, path+"/customer-details/get")
	if err != nil {
		return nil, nil, requests + more, fmt.Errorf("the customer: %w", err)
	}
	return order, customer, requests + more, nil
}

// insist asks until there is an answer, a refusal, or the last try.
func (s fbpiSource) insist(ctx context.Context, path string) (json.RawMessage, int, error) {
	wait := fbpiFirstWait
	for try := 1; ; try++ {
		answer, later, err := s.get(ctx, path)
		var away unavailableError
		if !errors.As(err, &away) {
			return answer, try, err
		}
		if try == s.cfg.Tries {
			return nil, try, fmt.Errorf("not available after %d tries: %w", try, err)
		}
		pauseFor := wait/2 + time.Duration(s.cfg.Chance.float()*float64(wait)/2)
		if err := pause(ctx, max(pauseFor, min(later, fbpiLongestWait))); err != nil {
			return nil, try, err
		}
		wait = min(2*wait, fbpiLongestWait)
	}
}

// unavailableError is what may be otherwise soon.
type unavailableError struct{ error }

// Unwrap returns the cause.
func (e unavailableError) Unwrap() error { return e.error }

// get asks once. later is the answer's Retry-After.
func (s fbpiSource) get(ctx context.Context, path string) (answer json.RawMessage, later time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.cfg.Base, "/")+path, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	if s.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.cfg.Token)
	}
	if s.cfg.Merchant != "" {
		req.Header.Set("X-Merchant", s.cfg.Merchant)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, 0, unavailableError{err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, fbpiAnswerBytes+1))
	later, _ = dispatcher.ParseRetryAfter(res.Header.Get("Retry-After"), s.cfg.Now())
	switch code := res.StatusCode; {
	case err != nil:
		return nil, 0, unavailableError{fmt.Errorf("the answer broke off: %w", err)}
	case code == http.StatusNotFound, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return nil, later, unavailableError{fmt.Errorf("answered %d", code)} // 404: not known there yet
	case code != http.StatusOK:
		return nil, 0, fmt.Errorf("answered %d, which asking again does not mend", code)
	case len(text) > fbpiAnswerBytes:
		return nil, 0, fmt.Errorf("the answer is larger than %d bytes", fbpiAnswerBytes)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil || object == nil {
		return nil, 0, errors.New("the answer is no JSON object")
	}
	return text, 0, nil
}
