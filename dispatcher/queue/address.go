package queue

import (
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/tidings/tidings/dispatcher"
)

// address is what a notification's URL says by itself, whatever the order.
type address struct {
	template dispatcher.URLTemplate
	fault    error  // of the URL: the template says nothing
	told     string // without secrets
	fixed    bool   // there is no placeholder in it, and so it has a target
	target   string
	noTarget error // why it has none
}

// addresses are those that were asked for lately: every change of an order, and mostly every order of a merchant, calls the
// same few URLs. An address is made of nothing but its URL, so none grows stale.
var addresses, _ = lru.New[string, *address](1024) // fails only for a size of 0

func addressOf(url string) *address {
	if a, known := addresses.Get(url); known {
		return a
	}
	a := &address{told: dispatcher.RedactURL(url)}
	a.template, a.fault = dispatcher.ParseURLTemplate(url)
	if a.fixed = a.fault == nil && !a.template.HasPlaceholders(); a.fixed {
		a.target, a.noTarget = dispatcher.TargetOf(url)
	}
	addresses.Add(strings.Clone(url), a)
	return a
}

// called is what is told of a call of the address, and its target.
func (a *address) called(template, url string) (told, target string, err error) {
	if a.fixed {
		return a.told, a.target, a.noTarget
	}
	told, _ = shown(template, url)
	target, err = dispatcher.TargetOf(url)
	return told, target, err
}
