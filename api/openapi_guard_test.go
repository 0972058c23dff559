package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/api"
)

func TestEveryOperationIsGuardedAsDocumented(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	for id, op := range c.operations() {
		if op.open() {
			continue
		}
		body := op.anyExample(t)
		call := func(want int, header map[string]string, lawless bool) answer {
			return c.do(exchange{id: id, in: op.fill(), body: body, header: header, want: want, lawless: lawless})
		}
		c.wantCode(call(401, map[string]string{"Authorization": ""}, false), "unauthorized")
		c.wantCode(call(401, map[string]string{"Authorization": "Bearer unknown"}, false), "unauthorized")
		if id == "metrics" || op.operators() {
			c.wantCode(call(403, nil, false), "role_forbidden")
			continue
		}
		if slices.Contains([]string{"PUT", "PATCH", "DELETE"}, op.Method) || id == "postNotification" || id == "rotateSecret" {
			c.wantCode(call(403, map[string]string{"Authorization": "Bearer merchant"}, false), "role_forbidden")
		}
		if op.fill()["merchant"] != "" || strings.HasPrefix(id, "getFBPI") { // the token of a single merchant names it
			continue // the path names it
		}
		c.wantCode(call(403, map[string]string{"X-Merchant": "other"}, false), "merchant_forbidden")
		c.wantCode(call(400, map[string]string{"X-Merchant": ""}, true), "merchant_missing")
		c.wantCode(call(400, map[string]string{"X-Merchant": "a b"}, true), "merchant_invalid")
	}
}

func TestEveryGuardedOperationIsLimitedAsDocumented(t *testing.T) {
	t.Parallel()
	stopped := time.Now()
	c := newContract(t, false, func(cfg *api.Config) {
		cfg.Limits, cfg.Now = api.Limits{Rate: 1, Burst: 1}, func() time.Time { return stopped }
	})
	c.do(exchange{id: "listEvents", header: map[string]string{"Authorization": "Bearer admin"}, want: 200})
	for id, op := range c.operations() {
		if op.open() {
			continue
		}
		c.fails("rate_limited", exchange{id: id, in: op.fill(), body: op.anyExample(t), want: 429,
			header: map[string]string{"Authorization": "Bearer admin"}})
	}
}

func TestEveryOperationSaysSoWithoutItsStore(t *testing.T) {
	t.Parallel()
	c := newContract(t, false)
	if err := c.rdb.Close(); err != nil {
		t.Fatal(err)
	}
	for id, op := range c.operations() {
		if op.open() || id == "metrics" {
			continue
		}
		c.fails("store_unavailable", exchange{id: id, in: op.fill(), body: op.anyExample(t), header: op.callerHeader(), want: 503})
	}
	c.do(exchange{id: "ready", want: 503})
}
