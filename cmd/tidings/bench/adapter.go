package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// adapter changes orders over the API, as a shop does. Orders take turns, and so do their targets.
type adapter struct {
	base     string
	token    string
	prefix   string                 // of the ids of its orders
	orders   int                    // a multiple of the targets
	url      func(order int) string // where the changes of an order go
	merchant func(order int) string // whose it is
	fan      int                    // notifications of each order
	filling  string                 // what an order holds besides its state
	client   *fasthttp.Client       // what the loader takes of the machine is not to be mistaken for what Tidings takes
}

func (s *stand) adapter(prefix string, orders int, url, merchant func(order int) string) *adapter {
	return &adapter{base: s.base() + "/api/v0/checkout/orders/", token: s.token, prefix: prefix, orders: orders, url: url, merchant: merchant,
		fan: 1, filling: usualOrder,
		client: &fasthttp.Client{MaxConnsPerHost: openInFlight, MaxIdemponentCallAttempts: 1}}
}

// registerWriters is how many register at once.
const registerWriters = 16

// register makes the orders, each with notifications that fire at every change of the state. They have no state yet, so
// nothing is owed; all else they have, so that what an order takes up is not counted as what its changes do.
func (a *adapter) register(ctx context.Context, timeout time.Duration) error {
	done := closedLoop(ctx, registerWriters, a.orders, time.Hour, func(ctx context.Context, order int, _ time.Time) error {
		var all []string
		for i := range a.fan {
			url := a.url(order + i)
			if i > 0 {
				url += "/" + strconv.Itoa(i) // the same twice would be registered once
			}
			all = append(all, fmt.Sprintf(`{"url":%q,"scope":{"state":["*"]},"timeout":%q}`, url, timeout))
		}
		return a.put(ctx, order, fmt.Sprintf(`{%s,"notifications":[%s]}`, a.filling, strings.Join(all, ",")))
	})
	if err := done.fault(ctx); err != nil {
		return fmt.Errorf("register %d orders: %w", a.orders, err)
	}
	return nil
}

// change is a sender.
func (a *adapter) change(ctx context.Context, seq int, due time.Time) error {
	return a.put(ctx, seq%a.orders, filled(seq, seq/a.orders, due, a.filling))
}

func (a *adapter) put(ctx context.Context, order int, body string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI(a.base + a.prefix + strconv.Itoa(order))
	req.Header.SetMethod(http.MethodPut)
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("X-Merchant", a.merchant(order))
	req.Header.Set("X-Channel", "web")
	req.SetBodyString(body)
	if err := a.client.DoTimeout(req, res, time.Minute); err != nil {
		return err
	}
	if res.StatusCode()/100 != 2 {
		return fmt.Errorf("PUT: %d %s", res.StatusCode(), res.Body())
	}
	return nil
}

// states are those that an order goes through, over and over: few, as those of a shop are.
var states = []string{"created", "accepted", "picked", "shipped", "completed"}

// document is an order of about 1 KB.
func document(seq int, due time.Time) string { return filled(seq, seq, due, usualOrder) }

// filled is an order as its change of that number leaves it, in another state than the change before.
func filled(seq, change int, due time.Time, filling string) string {
	return fmt.Sprintf(`{"state":{"currentStatus":%q},%s,%s}`, states[change%len(states)], stamp(seq, due), filling)
}

// usualOrder makes a document of about 1 KB.
var usualOrder = filling(func(i int, _ string) bool { return i < 5 })

// fillingOf makes a document of about so many bytes, at least 1 KB; items beyond the usual ones do not repeat, so that
// they cannot be compressed to nothing.
func fillingOf(size int) string {
	return filling(func(i int, items string) bool { return i < 5 || len(items) < size-len(usualOrder)/2 })
}

func filling(more func(i int, items string) bool) string {
	var items strings.Builder
	rng := rand.New(rand.NewPCG(1, 1))
	for i := 0; more(i, items.String()); i++ {
		name := fmt.Sprintf("Leather hiking boots, brown, size %d", 38+i)
		if i >= 5 {
			name = fmt.Sprintf("Article %016x", rng.Uint64())
		}
		if i > 0 {
			items.WriteByte(',')
		}
		fmt.Fprintf(&items, `{"id":"%d","reference":"SKU-%05d","name":%q,"quantity":%d,"price":{"includingVat":1249.00,"vat":249.80}}`, i+1, 4711*(i+1), name, i+1)
	}
	return `"total":{"includingVat":18735.00,"currency":"SEK"},"customer":{"email":"kim.larsson@example.com","phone":"+46700000000",` +
		`"address":{"firstName":"Kim","lastName":"Larsson","street":"Sveavagen 1","zip":"11157","city":"Stockholm","country":"SE"}},` +
		`"cart":{"items":[` + items.String() + `]}`
}
