package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
)

// arrivalHandler takes each request through its steps.
type arrivalHandler struct {
	verifier receiver.Verifier
	faults   *faults
	history  *history
	flow     *fbpiFlow // nil without --fbpi-base
	printer  *arrivalPrinter
	now      func() time.Time
}

// arrival is a request, what is thought of it and how it was answered.
type arrival struct {
	verdict
	receiver.Message
	At          time.Time
	Method, URI string
	ContentType string
	Unreadable  error // what of the request could not be read
	Schemes     []receiver.Scheme
	Checked     bool  // there is a key to hold its seal against
	Seal        error // why it does not hold
	Status      int   // 0: not answered
	Fault       string
	Note        string // what the answer says
}

func (h *arrivalHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := h.read(r)
	f := h.faults.next()
	a.Fault, a.Status = f.Name, f.Status
	if f.Name == faultHang {
		h.printer.arrival(a) // before the wait, which ends when the sender gives up
	}
	wanted := f.wait(r.Context())
	switch {
	case f.Name == faultHang:
		panic(http.ErrAbortHandler) // returning would be an answer
	case !wanted:
		a.Status = 0
		h.printer.arrival(a)
		panic(http.ErrAbortHandler)
	case f.Name == "":
		h.work(&a)
	}
	if succeeds(a.Status) {
		h.history.accepted(a.ID)
	}
	h.printer.arrival(a) // before the answer: who has the answer finds the line
	if h.faults.cfg.asksLater(a.Status) {
		w.Header().Set("Retry-After", strconv.FormatUint(uint64(*h.faults.cfg.RetryAfter), 10))
	}
	w.WriteHeader(a.Status)
	if a.Note != "" && a.Status != http.StatusNoContent {
		fmt.Fprintln(w, a.Note)
	}
}

// read reads the request, verifies it and holds it against what came before.
func (h *arrivalHandler) read(r *http.Request) arrival {
	a := arrival{At: h.now(), Method: r.Method, URI: r.URL.RequestURI(), ContentType: r.Header.Get("Content-Type"),
		Schemes: receiver.Schemes(r.Header)}
	a.Message, a.Unreadable = receiver.Read(r)
	a.Checked = len(h.verifier.Secrets)+len(h.verifier.PublicKeys)+len(h.verifier.FaTPayKeys) > 0
	if a.Checked {
		a.Seal = h.verifier.Verify(r, a.Body)
	}
	a.verdict = h.history.arrive(a.Message, r.URL.Path)
	return a
}

// work does what a receiver of this format does. Only noon's flow has something to do, and it takes nothing on trust.
func (h *arrivalHandler) work(a *arrival) {
	if h.flow == nil || a.Format != receiver.FormatFBPI && a.Format != receiver.FormatUnknown {
		return
	}
	switch {
	case a.Unreadable != nil:
		a.Status, a.Note = http.StatusBadRequest, a.Unreadable.Error()
	case a.Seal != nil:
		a.Status, a.Note = http.StatusUnauthorized, a.Seal.Error()
	default:
		status, note := h.flow.accept(a.Body)
		if a.Note = note; !succeeds(status) {
			a.Status = status
		}
	}
}
