package main

import (
	"encoding/json"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
)

// arrivalFacts is a line of --json.
type arrivalFacts struct {
	Type           string            `json:"type"` // "delivery"
	Time           time.Time         `json:"time"`
	Method         string            `json:"method"`
	URI            string            `json:"uri"`
	ContentType    string            `json:"contentType,omitempty"`
	Format         receiver.Format   `json:"format"`
	WebhookID      string            `json:"webhookId,omitempty"`
	Event          string            `json:"event,omitempty"`
	Attempt        int               `json:"attempt,omitempty"`
	Merchant       string            `json:"merchant,omitempty"`
	Channel        string            `json:"channel,omitempty"`
	OrderID        string            `json:"orderId,omitempty"`
	OrderVersion   int64             `json:"orderVersion,omitempty"`
	Scope          []string          `json:"scope,omitempty"`
	Test           bool              `json:"test"`
	Status         int               `json:"status"` // 0: not answered
	Fault          string            `json:"fault,omitempty"`
	Note           string            `json:"note,omitempty"`
	Seal           string            `json:"seal"` // good, bad, unchecked, none
	SealedBy       []receiver.Scheme `json:"sealedBy,omitempty"`
	SealReason     receiver.Reason   `json:"sealReason,omitempty"`
	SealDetail     string            `json:"sealDetail,omitempty"`
	SeenBefore     int               `json:"seenBefore"`
	Duplicate      bool              `json:"duplicate"`      // its webhook-id came before
	AcceptedBefore bool              `json:"acceptedBefore"` // and was answered 2xx
	Late           bool              `json:"late"`
	LateAfter      int64             `json:"lateAfter,omitempty"`
	Unreadable     string            `json:"unreadable,omitempty"`
	Body           json.RawMessage   `json:"body,omitempty"`
	BodyText       string            `json:"bodyText,omitempty"` // of a body that is not JSON
}

func (a arrival) facts() arrivalFacts {
	f := arrivalFacts{
		Type: "delivery", Time: a.At, Method: a.Method, URI: a.URI, ContentType: a.ContentType, Format: a.Format,
		WebhookID: a.ID, Event: a.Event, Attempt: a.Attempt, Merchant: a.Merchant, Channel: a.Channel, OrderID: a.OrderID,
		OrderVersion: a.OrderVersion, Scope: a.Scope, Test: a.Test, Status: a.Status, Fault: a.Fault, Note: a.Note,
		SealedBy: a.Schemes, SealReason: receiver.ReasonOf(a.Seal), SeenBefore: a.SeenBefore, Duplicate: a.SeenBefore > 0,
		AcceptedBefore: a.AcceptedBefore, Late: a.LateAfter > 0, LateAfter: a.LateAfter,
	}
	switch {
	case a.Seal != nil:
		f.Seal, f.SealDetail = "bad", a.Seal.Error()
	case a.Checked:
		f.Seal = "good"
	case len(a.Schemes) > 0:
		f.Seal = "unchecked"
	default:
		f.Seal = "none"
	}
	if a.Unreadable != nil {
		f.Unreadable = a.Unreadable.Error()
	}
	if json.Valid(a.Body) {
		f.Body = a.Body
	} else {
		f.BodyText = string(a.Body)
	}
	return f
}
