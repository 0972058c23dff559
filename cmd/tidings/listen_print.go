package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// arrivalPrinter prints for a person, or a line of JSON for a program.
type arrivalPrinter struct {
	mu   sync.Mutex
	to   io.Writer
	json bool
}

func (p *arrivalPrinter) arrival(a arrival) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(a.facts())
		return
	}
	answer := strconv.Itoa(a.Status)
	switch {
	case a.Fault == faultHang:
		answer = "no answer"
	case a.Status == 0:
		answer = "no answer, the sender gave up"
	}
	order := "no order"
	if a.OrderID != "" {
		order = "order " + plain(a.OrderID)
	}
	if a.OrderVersion > 0 {
		order += fmt.Sprintf(" v%d", a.OrderVersion)
	}
	if len(a.Scope) > 0 {
		order += " (" + plain(strings.Join(a.Scope, ", ")) + ")"
	}
	fmt.Fprintf(p.to, "\n%s %s %s -> %s | %s | %s | %s\n", a.At.Format("15:04:05.000"), a.Method, a.URI, answer, order, a.Format, a.sealInWords())
	var facts []string
	add := func(format string, args ...any) { facts = append(facts, fmt.Sprintf(format, args...)) }
	if a.ID != "" {
		add("webhook-id %s, attempt %d, %s/%s", plain(a.ID), a.Attempt, plain(a.Merchant), plain(a.Channel))
	}
	if a.Test {
		add("a test")
	}
	if a.SeenBefore > 0 && a.AcceptedBefore {
		add("DUPLICATE, seen before: %d times with this webhook-id, and answered 2xx", a.SeenBefore)
	} else if a.SeenBefore > 0 {
		add("seen before: %d times with this webhook-id, never answered 2xx", a.SeenBefore)
	}
	if a.LateAfter > 0 {
		add("LATE: version %d of this order came before", a.LateAfter)
	}
	if a.Unreadable != nil {
		add("unreadable: %v", a.Unreadable)
	}
	if a.Note != "" {
		add("%s", plain(a.Note))
	}
	for _, fact := range facts {
		fmt.Fprintf(p.to, "  %s\n", fact)
	}
	fmt.Fprintf(p.to, "%s\n", plainBody(a.Body))
}

func (a arrival) sealInWords() string {
	names := make([]string, len(a.Schemes))
	for i, s := range a.Schemes {
		names[i] = string(s)
	}
	by := strings.Join(names, ", ")
	switch {
	case a.Seal != nil:
		return "seal: BAD: " + plain(a.Seal.Error())
	case a.Checked:
		return "seal: good (" + by + ")"
	case by != "":
		return "seal: not checked (" + by + "; give --secret or --public-key)"
	}
	return "no seal"
}

// plain keeps a terminal from obeying what was received.
func plain(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// plainBody is JSON as it came; anything else is quoted.
func plainBody(body []byte) string {
	if json.Valid(body) && !strings.ContainsFunc(string(body), func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) {
		return string(body)
	}
	return strconv.Quote(string(body))
}

// fbpi prints how far noon's flow is with an order.
func (p *arrivalPrinter) fbpi(r fbpiRecord) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(struct {
			Type string `json:"type"`
			fbpiRecord
		}{"fbpi", r})
		return
	}
	fmt.Fprintf(p.to, "  fbpi order %s: %s", r.OrderNr, r.Status)
	if r.Why != "" {
		fmt.Fprintf(p.to, ": %s", plain(r.Why))
	}
	fmt.Fprintln(p.to)
}

// line writes one line; numbers keep their text, and & stays &.
func (p *arrivalPrinter) line(v any) {
	encoder := json.NewEncoder(p.to)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // the fields above cannot fail, and a terminal that is gone is not our trouble
}
