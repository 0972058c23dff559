package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// noon's flow, as its guide for receivers has it:
//
//	event -> order_nr is checked -> received -> GET order, GET customer -> fetched -> merged and written -> stored
//	              400 if bad           |                                                                     ^
//	                                   +--> not available after all tries, or refused: failed --(replay)-----+
//
// An event is answered 2xx when its status "received" is on the disk. A kill -9 leaves, at each arrow, the last status that
// was written; whatever is not stored is begun again by the next start, and by a new event of the order. Beginning
// again is harmless: it fetches what the order is then, and replaces one whole file.
type fbpiFlow struct {
	cfg     fbpiConfig
	source  fbpiSource
	files   fbpiFiles
	context context.Context // ends the work that events have begun
	cancel  context.CancelFunc
	slots   chan struct{} // bounds the orders that are fetched at once
	working sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	records map[string]*fbpiRecord // by order_nr
	busy    map[string]bool        // order_nr that a goroutine is at
}

type fbpiConfig struct {
	Base, Token, Merchant string
	Tries                 int
	Dir                   string
	Chance                *chance
	Report                func(fbpiRecord)
	Now                   func() time.Time
}

// fbpiStatus is how far an order is.
type fbpiStatus string

// The states. Entered by: an event; both answers; the file's rename; the last try. Left for good: stored alone, until the
// next event of the order.
const (
	fbpiReceived fbpiStatus = "received"
	fbpiFetched  fbpiStatus = "fetched"
	fbpiStored   fbpiStatus = "stored"
	fbpiFailed   fbpiStatus = "failed"
)

// fbpiRecord is the processing status of one order, as it lies beside the order's file.
type fbpiRecord struct {
	OrderNr   string     `json:"orderNr"`
	Status    fbpiStatus `json:"status"`
	Why       string     `json:"why,omitempty"` // of failed
	EventType string     `json:"eventType"`
	Events    int        `json:"events"`             // of the order so far, without duplicates; tells work that a newer event has overtaken it
	Messages  []string   `json:"messages,omitempty"` // message_ids of the last of them: duplicates are known by these
	Fetches   int        `json:"fetches"`            // requests for order and customer, all tries counted
	Received  time.Time  `json:"received"`           // the last event
	Updated   time.Time  `json:"updated"`
}

const (
	fbpiWorkers  = 8
	fbpiMessages = 100 // message_ids remembered of an order
)

// openFBPIFlow reads what an earlier run has left; it does no work yet.
func openFBPIFlow(cfg fbpiConfig) (*fbpiFlow, error) {
	files := fbpiFiles{dir: cfg.Dir}
	records, err := files.open()
	if err != nil {
		return nil, err
	}
	return &fbpiFlow{
		cfg: cfg, source: newFBPISource(cfg), files: files, slots: make(chan struct{}, fbpiWorkers), records: records, busy: map[string]bool{},
	}, nil
}

// resume begins what an earlier run has not finished (replay), and lets events begin their work. The context ends it all.
func (f *fbpiFlow) resume(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.context, f.cancel = context.WithCancel(ctx)
	for orderNr, r := range f.records {
		if r.Status != fbpiStored {
			f.begin(orderNr)
		}
	}
}

// close ends the work and waits for it. What was under way is begun again by the next start.
func (f *fbpiFlow) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.working.Wait()
}

type fbpiEvent struct {
	Version  json.RawMessage `json:"event_schema_version"`
	Type     string          `json:"event_type"`
	Metadata struct {
		MessageID string `json:"message_id"`
	} `json:"metadata"`
	Payload struct {
		OrderNr *string `json:"order_nr"`
	} `json:"payload"`
}

var fbpiOrderNr = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// parseFBPIEvent returns what is wrong with an event in words for its sender.
func parseFBPIEvent(body []byte) (e fbpiEvent, err error) {
	switch err := json.Unmarshal(body, &e); {
	case err != nil:
		return e, fmt.Errorf("the event cannot be read: %w", err)
	case string(e.Version) != "1":
		return e, errors.New("event_schema_version is not the number 1")
	case e.Payload.OrderNr == nil:
		return e, errors.New("payload.order_nr is missing")
	case !fbpiOrderNr.MatchString(*e.Payload.OrderNr):
		return e, errors.New("payload.order_nr is not 1 to 128 characters of A-Z a-z 0-9 . _ : -")
	}
	return e, nil
}

// accept takes an event, and answers 2xx once it will not be forgotten.
func (f *fbpiFlow) accept(body []byte) (status int, note string) {
	event, err := parseFBPIEvent(body)
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	orderNr, messageID := *event.Payload.OrderNr, event.Metadata.MessageID
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return http.StatusServiceUnavailable, "stopping"
	}
	r := fbpiRecord{OrderNr: orderNr}
	if known := f.records[orderNr]; known != nil {
		r = *known
	}
	if messageID != "" && slices.Contains(r.Messages, messageID) {
		if r.Status == fbpiFailed {
			f.begin(orderNr) // it comes again, so it may go better
		}
		return http.StatusOK, "known: order " + orderNr + " is " + string(r.Status)
	}
	r.Status, r.Why, r.EventType, r.Events, r.Received = fbpiReceived, "", event.Type, r.Events+1, f.cfg.Now().UTC()
	if messageID != "" {
		r.Messages = append(slices.Clone(r.Messages), messageID)
		r.Messages = r.Messages[max(0, len(r.Messages)-fbpiMessages):]
	}
	if err := f.keep(r); err != nil {
		return http.StatusServiceUnavailable, "it could not be noted that the event was received"
	}
	f.begin(orderNr)
	return http.StatusOK, "order " + orderNr + " is received"
}

// keep writes a record and, once it is on the disk, remembers and reports it. The lock is held.
func (f *fbpiFlow) keep(r fbpiRecord) error {
	r.Updated = f.cfg.Now().UTC()
	if err := f.files.writeRecord(r); err != nil {
		r.Status, r.Why = fbpiFailed, err.Error()
		f.cfg.Report(r)
		return err
	}
	f.records[r.OrderNr] = &r
	f.cfg.Report(r)
	return nil
}
