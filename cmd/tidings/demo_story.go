package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/receiver"
)

type object = map[string]any

// tell goes through the chapters until one goes differently.
func (d *demo) tell(ctx context.Context) error {
	for _, chapter := range []func(context.Context) error{
		d.register, d.created, d.accepted, d.paid, d.shipped, d.completed, d.recorded,
	} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	d.say("\nAll of it went as told, in %.1f s.", time.Since(d.began).Seconds())
	return nil
}

func (d *demo) register(ctx context.Context) error {
	r := d.world.receivers
	d.say("Tidings at %s, for this demo alone. Order %s of %s; four systems want to hear of it:\n", d.world.api.base, demoOrder, demoMerchant)
	d.say("   norce   state, payments, shippings   the whole order, sealed by HMAC (Standard Webhooks), retried after 1 s, then 1 min")
	d.say("   fbpi    state                        noon: a thin event; the receiver fetches order and customer")
	d.say("   probo   state                        by callback_urls in the order")
	d.say("   fatpay  payments                     once, sealed by RSA; public key from %s/signing-keys", demoAPI)
	d.notes = map[string]string{}
	for system, notification := range map[string]object{
		"norce": {"url": r["norce"].url, "scope": object{"state": []string{"*"}, "payment": true, "shipping": true},
			"signing": object{"scheme": "standard-webhooks", "secret": r["norce"].secret}, "retry": object{"schedule": []string{"1s", "1m"}}},
		"fbpi":   {"url": r["fbpi"].url, "format": "fbpi", "scope": object{"state": []string{"*"}}, "retry": object{"schedule": []string{"1s"}}},
		"fatpay": {"url": r["fatpay"].url, "format": "fatpay", "scope": object{"payment": true}, "options": object{"partnerId": "demo"}},
	} {
		var answer struct{ ID string }
		if err := d.world.api.call(ctx, http.MethodPost, demoAPI+"/orders/"+demoOrder+"/notifications", notification, &answer); err != nil {
			return err
		}
		d.notes[system] = answer.ID
	}
	return nil
}

func (d *demo) created(ctx context.Context) error {
	d.say("\n1. Created, and norce's receiver is down.")
	d.world.receivers["norce"].setDown(true)
	order := object{
		"state": object{"currentStatus": "processing"}, "currency": "SEK", "callback_urls": []string{d.world.receivers["probo"].url},
		"items":    []object{{"id": "i1", "sku": "BANNER-610", "delivered_invoice_price": json.Number("93.0900")}},
		"customer": object{"shipping": object{"firstName": "Ada", "city": "Uppsala"}}, "total": json.Number("93.09000000"),
	}
	if err := d.change(ctx, http.MethodPut, order, 1, "norce", "fbpi", "probo"); err != nil {
		return err
	}
	return d.expect(ctx,
		demoExpected{system: "norce", version: 1, attempt: 1, status: 503, check: norceStatus("processing")},
		demoExpected{system: "fbpi", version: 1, attempt: 1, status: 200, check: d.noonFetched(ctx, "FBPI::ORDER_CREATED", 1)},
		demoExpected{system: "probo", version: 1, attempt: 1, status: 200, check: proboStatus("processing", "Processing")},
	)
}

func (d *demo) accepted(ctx context.Context) error {
	d.say("\n2. Accepted. norce's receiver is up again; its version 2 waits until version 1 has been retried by itself.")
	d.world.receivers["norce"].setDown(false)
	if err := d.change(ctx, http.MethodPatch, object{"state": object{"currentStatus": "accepted"}}, 2, "norce", "fbpi", "probo"); err != nil {
		return err
	}
	return d.expect(ctx,
		demoExpected{system: "fbpi", version: 2, attempt: 1, status: 200, check: d.noonFetched(ctx, "FBPI::ORDER_SYNC", 2)},
		demoExpected{system: "probo", version: 2, attempt: 1, status: 200, check: proboStatus("accepted", "Accepted")},
		demoExpected{system: "norce", version: 1, attempt: 2, status: 200, check: norceStatus("processing")},
		demoExpected{system: "norce", version: 2, attempt: 1, status: 200, check: norceStatus("accepted")},
	)
}

func (d *demo) paid(ctx context.Context) error {
	d.say("\n3. Paid. No state changed, so only norce and fatpay hear of it.")
	if err := d.change(ctx, http.MethodPatch, object{"payments": []object{{"id": "p1", "amount": json.Number("93.09000000")}}}, 3, "norce", "fatpay"); err != nil {
		return err
	}
	return d.expect(ctx,
		demoExpected{system: "norce", version: 3, attempt: 1, status: 200, check: norceStatus("accepted")},
		demoExpected{system: "fatpay", version: 3, attempt: 1, status: 200, check: bodyHas(`"amount":93.09000000`, "the payment's 93.09000000 as written")},
	)
}

func (d *demo) shipped(ctx context.Context) error {
	d.say("\n4. Shipped, and norce's receiver is down again, for longer than the first retry.")
	d.world.receivers["norce"].setDown(true)
	change := object{
		"state": object{"currentStatus": "shipment_created"}, "shippings": []object{{"id": "s1", "trackingUrl": "https://track.example.com/?a=1&b=2"}},
		"shipped_packages": []object{{"id": "1", "tracking_url": "https://track.example.com/?a=1&b=2", "barcode": "JVGL8"}},
	}
	if err := d.change(ctx, http.MethodPatch, change, 4, "norce", "fbpi", "probo"); err != nil {
		return err
	}
	err := d.expect(ctx,
		demoExpected{system: "norce", version: 4, attempt: 1, status: 503, check: norceStatus("shipment_created")},
		demoExpected{system: "fbpi", version: 4, attempt: 1, status: 200, check: d.noonFetched(ctx, "FBPI::ORDER_SYNC", 3)},
		demoExpected{system: "probo", version: 4, attempt: 1, status: 200, check: proboStatus("shipment_created", "Shipment Created")},
		demoExpected{system: "norce", version: 4, attempt: 2, status: 503, check: norceStatus("shipment_created")},
	)
	if err != nil {
		return err
	}
	failed, err := d.failedEvent(ctx, "norce", 4, 2)
	if err != nil {
		return err
	}
	d.world.receivers["norce"].setDown(false)
	if err := d.world.api.call(ctx, http.MethodPost, demoAPI+"/notifications/events/"+failed.ID+"/retry", nil, nil); err != nil {
		return err
	}
	d.say("   The next automatic retry is due in %.0f s. norce's receiver is up, so a person does not wait:", failed.NextAttemptAt.Sub(failed.Timestamp).Seconds())
	d.say("   POST  /notifications/events/%s/retry", failed.ID)
	return d.expect(ctx, demoExpected{system: "norce", version: 4, attempt: 3, status: 200, trigger: dispatcher.TriggerManual, check: norceStatus("shipment_created")})
}

func (d *demo) completed(ctx context.Context) error {
	d.say("\n5. Completed.")
	if err := d.change(ctx, http.MethodPatch, object{"state": object{"currentStatus": "completed"}}, 5, "norce", "fbpi", "probo"); err != nil {
		return err
	}
	return d.expect(ctx,
		demoExpected{system: "norce", version: 5, attempt: 1, status: 200, check: norceStatus("completed")},
		demoExpected{system: "fbpi", version: 5, attempt: 1, status: 200, check: d.noonFetched(ctx, "FBPI::ORDER_SYNC", 4)},
		demoExpected{system: "probo", version: 5, attempt: 1, status: 200, check: proboStatus("completed", "Completed")},
	)
}

func bodyHas(part, tell string) func(receiver.Message) (string, error) {
	return func(m receiver.Message) (string, error) {
		if !strings.Contains(string(m.Body), part) {
			return "", fmt.Errorf("the body has no %s", part)
		}
		return tell, nil
	}
}

// norceStatus checks the order as of the change, also in a retry that comes after a later change.
func norceStatus(status string) func(receiver.Message) (string, error) {
	return bodyHas(`"state":{"currentStatus":"`+status+`"}`, "the order as it was: "+status)
}

func proboStatus(status, message string) func(receiver.Message) (string, error) {
	return bodyHas(`{"status":"`+status+`","message":"`+message+`"`, "status "+status)
}
