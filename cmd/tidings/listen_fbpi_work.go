package main

import (
	"encoding/json"
)

// begin lets a goroutine work on the order, unless one is at it already: that one will see the new event. The lock is
// held.
func (f *fbpiFlow) begin(orderNr string) {
	if f.busy[orderNr] || f.closed {
		return
	}
	f.busy[orderNr] = true
	f.working.Go(func() {
		f.slots <- struct{}{}
		defer func() { <-f.slots }()
		for f.round(orderNr) {
		}
	})
}

// round fetches and stores the order once. It reports whether an event has come meanwhile, for which it must be done anew.
func (f *fbpiFlow) round(orderNr string) (again bool) {
	f.mu.Lock()
	began := f.records[orderNr].Events
	f.mu.Unlock()

	order, customer, requests, err := f.source.fetch(f.context, orderNr)
	if f.context.Err() != nil { // stopping: not the order's fault, and the status on the disk says that it is not stored
		return false
	}
	if err != nil {
		return f.finish(orderNr, began, func(r *fbpiRecord) {
			r.Status, r.Why, r.Fetches = fbpiFailed, "fetching "+err.Error(), r.Fetches+requests
		})
	}
	f.note(orderNr, began, func(r *fbpiRecord) { r.Status, r.Why, r.Fetches = fbpiFetched, "", r.Fetches+requests })
	merged, err := mergeFBPI(order, customer)
	if err == nil {
		err = f.files.writeOrder(orderNr, merged)
	}
	return f.finish(orderNr, began, func(r *fbpiRecord) {
		if r.Status = fbpiStored; err != nil {
			r.Status, r.Why = fbpiFailed, "storing the order: "+err.Error()
		}
	})
}

// note changes the record, unless a newer event has set it back to received: then its status is that event's.
func (f *fbpiFlow) note(orderNr string, began int, change func(*fbpiRecord)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noteLocked(orderNr, began, change)
}

func (f *fbpiFlow) noteLocked(orderNr string, began int, change func(*fbpiRecord)) {
	if r := *f.records[orderNr]; r.Events == began {
		change(&r)
		_ = f.keep(r) // reported; the file says less than was done, and the next start does it again
	}
}

// finish notes how the round went. In the same step it ends the work or finds that an event has come meanwhile: one that
// comes later begins anew.
func (f *fbpiFlow) finish(orderNr string, began int, change func(*fbpiRecord)) (again bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noteLocked(orderNr, began, change)
	if f.records[orderNr].Events != began {
		return true
	}
	delete(f.busy, orderNr)
	return false
}

// mergeFBPI puts the customer into the order. Numbers keep their text.
func mergeFBPI(order, customer json.RawMessage) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(order, &members); err != nil {
		return nil, err
	}
	members["customer_details"] = customer
	return jsonText(members)
}
