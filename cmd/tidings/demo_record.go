package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/receiver"
)

// noonFetched waits until noon's receiver has fetched and stored what its events-th event told of, and looks into the file.
func (d *demo) noonFetched(ctx context.Context, eventType string, events int) func(receiver.Message) (string, error) {
	return func(m receiver.Message) (string, error) {
		if !strings.Contains(string(m.Body), `"event_type":"`+eventType+`"`) {
			return "", fmt.Errorf("it is no %s", eventType)
		}
		patience := time.NewTimer(demoPatience)
		defer patience.Stop()
		for stored := false; !stored; {
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-patience.C:
				return "", errors.New("the receiver has not stored the order")
			case r := <-d.world.fetched:
				if r.Status == fbpiFailed {
					return "", errors.New("the receiver failed: " + r.Why)
				}
				stored = r.Status == fbpiStored && r.Events >= events
			}
		}
		text, err := os.ReadFile(d.world.flow.files.dir + "/" + fbpiFileName(demoOrder) + ".json")
		if err != nil {
			return "", err
		}
		var got struct {
			Items []struct {
				SKU   string      `json:"partner_sku"`
				Price json.Number `json:"delivered_invoice_price"`
			}
			Customer struct {
				Name string `json:"first_name"`
				City string `json:"city"`
			} `json:"customer_details"`
		}
		if err := json.Unmarshal(text, &got); err != nil || len(got.Items) != 1 || got.Items[0].Price != "93.0900" || got.Customer.Name == "" {
			return "", fmt.Errorf("it has stored %s (%w)", text, err)
		}
		return fmt.Sprintf("%s; fetched %s for %s in %s", strings.TrimPrefix(eventType, "FBPI::"), got.Items[0].SKU, got.Customer.Name, got.Customer.City), nil
	}
}

// failedEvent waits for the Event of an attempt that failed and is to be retried.
func (d *demo) failedEvent(ctx context.Context, system string, version int64, attempt int) (dispatcher.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	id := d.deliveries[demoDelivery{system, version}]
	for {
		events, err := d.events(ctx)
		if err != nil {
			return dispatcher.Event{}, err
		}
		for _, e := range events {
			if e.DeliveryID == id && e.Attempt == attempt {
				if e.Outcome != dispatcher.Failed || !e.WillRetry || e.NextAttemptAt == nil {
					return e, fmt.Errorf("the Event says %s, will retry: %v", e.Outcome, e.WillRetry)
				}
				return e, nil
			}
		}
		if pause(ctx, demoPoll) != nil {
			return dispatcher.Event{}, fmt.Errorf("no Event of attempt %d of version %d", attempt, version)
		}
	}
}

// events are all of the order, oldest first.
func (d *demo) events(ctx context.Context) ([]dispatcher.Event, error) {
	var page struct{ Data []dispatcher.Event }
	err := d.world.api.call(ctx, http.MethodGet, demoAPI+"/notifications/events?limit=100&orderId="+demoOrder, nil, &page)
	slices.Reverse(page.Data)
	return page.Data, err
}

// recorded holds the Events against what the receivers saw: each attempt is one Event, and there is no other.
func (d *demo) recorded(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	var events []dispatcher.Event
	for len(events) < len(d.met) { // an attempt is recorded shortly after its answer
		var err error
		if events, err = d.events(ctx); err != nil {
			return err
		}
		if len(events) < len(d.met) && pause(ctx, demoPoll) != nil {
			return fmt.Errorf("there are %d Events of %d attempts", len(events), len(d.met))
		}
	}
	d.say("\nDid you tell them? %d attempts, %d Events (GET %s/notifications/events?orderId=%s):\n", len(d.met), len(events), demoAPI, demoOrder)
	d.say("   %6s  %-6s  %-7s  %-32s  %-9s  %-9s  %s", "s", "system", "version", "scope", "attempt", "by", "outcome")
	untold := slices.Clone(d.met)
	for _, e := range events {
		system, err := d.account(e, &untold)
		if err != nil {
			return err
		}
		outcome := string(e.Outcome)
		if e.Reason != "" {
			outcome += ", " + string(e.Reason)
		}
		d.say("   %6.2f  %-6s  %-7d  %-32s  %-9d  %-9s  %d %s", e.Timestamp.Sub(d.began).Seconds(), system, e.OrderVersion,
			strings.Join(e.Scope, ", "), e.Attempt, e.Trigger, e.StatusCode, outcome)
	}
	if len(untold) > 0 {
		return fmt.Errorf("%d attempts have no Event", len(untold))
	}
	for system, r := range d.world.receivers {
		if n := len(r.arrivals); n > 0 {
			return fmt.Errorf("%s has got %d requests more", system, n)
		}
	}
	return nil
}

// account strikes the attempt of an Event from those that are not told yet.
func (d *demo) account(e dispatcher.Event, untold *[]demoExpected) (system string, err error) {
	for i, met := range *untold {
		if d.deliveries[demoDelivery{met.system, met.version}] != e.DeliveryID || met.attempt != e.Attempt {
			continue
		}
		delivered := e.Outcome == dispatcher.Delivered
		if e.StatusCode != met.status || delivered != succeeds(met.status) || e.Trigger != met.trigger || e.OrderVersion != met.version || e.Sent != dispatcher.SentYes {
			return "", fmt.Errorf("the Event of %s, version %d, attempt %d says: %s, %d, %s, sent %s", met.system, met.version, met.attempt, e.Outcome, e.StatusCode, e.Trigger, e.Sent)
		}
		*untold = slices.Delete(*untold, i, i+1)
		return met.system, nil
	}
	return "", fmt.Errorf("an Event of delivery %s, attempt %d, that no receiver has seen, or two of one", e.DeliveryID, e.Attempt)
}
