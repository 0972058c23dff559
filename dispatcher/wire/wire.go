// Package wire renders what goes over the wire: one small file for each outside system. docs/formats.md has the table
// of which member of an order becomes which member of a body.
package wire

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// MaxBodyBytes bounds a rendered body.
const MaxBodyBytes = 4 << 20

// Message is what a format renders. Everything in it stays the same on every attempt.
type Message struct {
	Delivery dispatcher.Delivery
	Snapshot dispatcher.Snapshot
}

// Rendered is a body with the headers that belong to it. Requests share the headers: nobody may change them.
type Rendered struct {
	Header http.Header
	Body   []byte
}

// Format is the language of one outside system.
type Format interface {
	// Name is what a notification asks for in its member format.
	Name() string
	// CheckOptions returns every fault of a notification's options, with pointers relative to /options ("/eventType";
	// "" for the options themselves). Absent options are no fault, unless the format cannot do without.
	CheckOptions(options scope.Value) scope.Faults
	// Retry is the policy that the format's receivers expect of a notification that has none of its own. Zero: the
	// default ladder.
	Retry() dispatcher.Retry
	// Render is pure: the same Message gives the same bytes. It takes options that CheckOptions passes; the error says
	// what the order lacks.
	Render(m Message) (Rendered, error)
}

var formats = []Format{Norce{}, FBPI{}, Probo{}, FaTPay{}, CloudEvents{}, Thin{}}

// Lookup finds a format by its name.
func Lookup(name string) (Format, error) {
	for _, f := range formats {
		if f.Name() == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("unknown format %q", name)
}

// Names lists the formats that a notification may ask for.
func Names() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}

var asJSON = http.Header{"Content-Type": {"application/json"}}

func rendered(body scope.Value) Rendered { return Rendered{Header: asJSON, Body: body.JSON()} }

func member(name string, value scope.Value) scope.Member {
	return scope.Member{Name: name, Value: value}
}

func text(name, value string) scope.Member { return member(name, scope.String(value)) }
