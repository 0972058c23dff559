package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Writers are the adapters: each order has one, which changes it again and again through any API that answers.
type Writers struct {
	fleet     *Fleet
	receivers *Receivers
	history   *History
	plan      Plan
	client    *http.Client
}

// NewWriters returns writers that have not begun.
func NewWriters(fleet *Fleet, receivers *Receivers, history *History, plan Plan) *Writers {
	return &Writers{fleet: fleet, receivers: receivers, history: history, plan: plan,
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// answer is what PUT answers.
type answer struct {
	Version    int64
	Deliveries []struct {
		ID             string
		NotificationID string
	}
}

// Register gives each order two notifications, at two receivers, and the limited target its limit. Their schedule never
// gives up within a run.
func (w *Writers) Register(ctx context.Context) error {
	for order := range w.plan.Orders {
		for n := range 2 {
			id := fmt.Sprintf("n%d", n)
			body := fmt.Sprintf(`{"id":%q,"url":%q,"scope":{"state":["*"]},"timeout":"3s","retry":{"maxAttempts":50,"schedule":["1s","1s","2s","2s","5s","10s"]}}`,
				id, w.receivers.Of(order, n)+lane(order, id))
			var none any
			if err := w.call(ctx, 0, http.MethodPost, fmt.Sprintf("/orders/%d/notifications", order), body, &none); err != nil {
				return err
			}
		}
	}
	if w.plan.NoLimit {
		return nil
	}
	var none any
	return w.call(ctx, 0, http.MethodPut, "/notifications/targets/"+url.PathEscape(w.receivers.Limited()), fmt.Sprintf(`{"maxInFlight":%d}`, limit), &none)
}

func lane(order int, notification string) string { return fmt.Sprintf("/%d/%s", order, notification) }

// Run writes until the context ends.
func (w *Writers) Run(ctx context.Context) {
	var wg sync.WaitGroup
	each := time.Second * time.Duration(w.plan.Orders) / time.Duration(w.plan.Rate)
	for order := range w.plan.Orders {
		wg.Go(func() {
			offset := each * time.Duration(order) / time.Duration(w.plan.Orders)
			for seq := 0; pause(ctx, offset) == nil; seq++ {
				w.change(ctx, order, seq)
				offset = each
			}
		})
	}
	wg.Wait()
}

// change makes one change. One that was not answered may have landed all the same: it is repeated, and is then no
// change; its deliveries are known to nobody here, and are judged by what arrives alone.
func (w *Writers) change(ctx context.Context, order, seq int) {
	body := fmt.Sprintf(`{"state":{"currentStatus":"s%d"},"seq":%d}`, seq, seq)
	for try := 0; ctx.Err() == nil; try++ {
		var a answer
		// The request outlives the end of the run: what was begun is not cut off by us.
		err := w.call(context.WithoutCancel(ctx), order+try, http.MethodPut, fmt.Sprintf("/orders/%d", order), body, &a)
		if err == nil {
			for _, d := range a.Deliveries {
				w.history.Accept(Accepted{DeliveryID: d.ID, Lane: lane(order, d.NotificationID), Version: a.Version, At: time.Now()})
			}
			return
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return
		}
	}
}

func (w *Writers) call(ctx context.Context, api int, method, path, body string, into any) error {
	base := w.fleet.apis[api%len(w.fleet.apis)].base
	req, err := http.NewRequestWithContext(ctx, method, base+"/api/v0/checkout"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Merchant", merchant)
	req.Header.Set("X-Channel", channel)
	res, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	return json.Unmarshal(text, into)
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + hex.EncodeToString(sum[:])
}
