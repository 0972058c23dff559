package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/receiver"
)

// demo is the story under way.
type demo struct {
	world      *demoWorld
	out        io.Writer
	began      time.Time
	notes      map[string]string       // notification by system
	deliveries map[demoDelivery]string // ids that the API has told
	met        []demoExpected          // in the order of their telling
}

type demoDelivery struct {
	system  string
	version int64
}

// demoExpected is one attempt that must happen now, and be the next that its receiver sees.
type demoExpected struct {
	system  string
	version int64
	attempt int
	status  int
	trigger dispatcher.Trigger
	check   func(receiver.Message) (tell string, err error) // of the content
}

var demoFormats = map[string]receiver.Format{
	"norce": receiver.FormatNorce, "fbpi": receiver.FormatFBPI, "probo": receiver.FormatProbo, "fatpay": receiver.FormatFaTPay,
}

// demoPatience is how long an attempt may keep the story waiting; a retry comes within three seconds.
const demoPatience = 15 * time.Second

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// change writes the order, and notes which deliveries are owed. They must be those of the systems named.
func (d *demo) change(ctx context.Context, method string, document map[string]any, version int64, systems ...string) error {
	var answer struct {
		Version    int64
		Deliveries []struct{ ID, NotificationID string }
	}
	if err := d.world.api.call(ctx, method, demoAPI+"/orders/"+demoOrder, document, &answer); err != nil {
		return err
	}
	if err := d.learnProbo(ctx); err != nil {
		return err
	}
	owed := map[string]string{}
	for _, delivery := range answer.Deliveries {
		for system, notification := range d.notes {
			if notification == delivery.NotificationID {
				owed[system] = delivery.ID
			}
		}
	}
	for _, system := range systems {
		if owed[system] == "" {
			return fmt.Errorf("nothing is owed to %s for version %d", system, version)
		}
		d.deliveries[demoDelivery{system, version}] = owed[system]
	}
	if answer.Version != version || len(answer.Deliveries) != len(systems) {
		return fmt.Errorf("%s made version %d with %d deliveries, expected version %d with %d", method, answer.Version, len(answer.Deliveries), version, len(systems))
	}
	d.say("   %-5s /orders/%s: version %d, owed to %s", method, demoOrder, version, strings.Join(systems, ", "))
	return nil
}

// learnProbo finds the notification that callback_urls have made.
func (d *demo) learnProbo(ctx context.Context) error {
	if d.notes["probo"] != "" {
		return nil
	}
	var answer struct{ Data []struct{ ID, Format string } }
	if err := d.world.api.call(ctx, http.MethodGet, demoAPI+"/orders/"+demoOrder+"/notifications", nil, &answer); err != nil {
		return err
	}
	for _, n := range answer.Data {
		if n.Format == string(receiver.FormatProbo) {
			d.notes["probo"] = n.ID
			return nil
		}
	}
	return errors.New("callback_urls have registered nothing")
}

// expect waits for each attempt, checks it and tells it.
func (d *demo) expect(ctx context.Context, all ...demoExpected) error {
	for _, e := range all {
		if e.trigger == "" {
			e.trigger = dispatcher.TriggerAutomatic
		}
		ctx, cancel := context.WithTimeout(ctx, demoPatience)
		err := d.meet(ctx, e)
		cancel()
		if err != nil {
			return fmt.Errorf("%s, version %d, attempt %d: %w", e.system, e.version, e.attempt, err)
		}
		d.met = append(d.met, e)
	}
	return nil
}

func (d *demo) meet(ctx context.Context, e demoExpected) error {
	var a demoArrival
	select {
	case <-ctx.Done():
		return errors.New("it did not come")
	case a = <-d.world.receivers[e.system].arrivals:
	}
	id := d.deliveries[demoDelivery{e.system, e.version}]
	switch {
	case a.fault != nil:
		return fmt.Errorf("the receiver does not take it: %w", a.fault)
	case a.OrderVersion != e.version || a.Attempt != e.attempt:
		return fmt.Errorf("out of order: version %d, attempt %d came", a.OrderVersion, a.Attempt)
	case a.ID != id:
		return fmt.Errorf("webhook-id %s, the API told %s", a.ID, id)
	case a.Format != demoFormats[e.system] || a.OrderID != demoOrder || a.Merchant != demoMerchant || a.Channel != demoChannel:
		return fmt.Errorf("%s of order %s of %s/%s came", a.Format, a.OrderID, a.Merchant, a.Channel)
	case a.status != e.status:
		return fmt.Errorf("answered %d, expected %d", a.status, e.status)
	}
	var tell string
	if e.check != nil {
		var err error
		if tell, err = e.check(a.Message); err != nil {
			return err
		}
	}
	if d.world.receivers[e.system].verifier != nil {
		tell += ", seal good"
	}
	d.say("   %5.2f s  %-6s  v%d  attempt %d -> %d  %s", a.at.Sub(d.began).Seconds(), e.system, e.version, e.attempt, e.status, strings.TrimPrefix(tell, ", "))
	return nil
}
