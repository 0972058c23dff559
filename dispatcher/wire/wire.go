// Package wire renders what goes over the wire: one small file for each outside system.
package wire

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/tidings/tidings/dispatcher"
)

// MaxBodyBytes bounds a rendered body.
const MaxBodyBytes = 4 << 20

// Message is what a format renders. Everything in it stays the same on every attempt.
type Message struct {
	Delivery dispatcher.Delivery
	Snapshot dispatcher.Snapshot
}

// Rendered is a body with the headers that belong to it.
type Rendered struct {
	Header http.Header
	Body   []byte
}

// Format is the language of one outside system. Render is pure: the same Message gives the same bytes.
type Format interface {
	Name() string
	Render(m Message) (Rendered, error)
}

var formats = []Format{Norce{}}

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
