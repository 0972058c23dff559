package api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store/storetest"
)

// benchOrder is an order of about 1 KB with one notification, which every change of its status fires.
func benchOrder(status int, register string) string {
	return fmt.Sprintf(`{"id":"7c1d9b2e-5a44-4c5e-9f57-1d2f0a3b4c5d","reference":"100042","created":"2026-04-09T08:42:15.123456Z",
	"state":{"currentStatus":"s%d"},"culture":"sv-SE","currency":"SEK","country":"SE",
	"cart":{"items":[{"id":"line-1","sku":"ABC-0001","name":"Cotton shirt","quantity":2,"price":{"amount":93.09000000,"currency":"SEK","vat":0.25},
	"attributes":{"color":"navy","size":"XL","tags":["summer","sale"]},"url":"https://shop.example.com/p?id=1&ref=mail"}],
	"total":{"includingVat":186.18,"excludingVat":148.944}},
	"shippings":[{"id":"s1","carrier":"postnord","price":{"amount":0}}],"payments":[{"id":"p1","type":"card","amount":93.09,"state":"authorized"}],
	"customer":{"email":"anna@example.com","name":"Anna Öberg","address":{"street":"Storgatan 1","city":"Luleå","postalCode":"972 31"}}%s}`, status, register)
}

// BenchmarkPutOrder is the whole way of a change through the door, into the store and Asynq: with the order as this process
// wrote it last, and read for every change.
func BenchmarkPutOrder(b *testing.B) {
	for name, connect := range map[string]func(testing.TB) *redis.Client{"miniredis": storetest.Mini, "redis-server": storetest.Server} {
		for recent, bytes := range map[string]int{"remembered": 0, "read": -1} {
			b.Run(name+"/"+recent, func(b *testing.B) {
				rdb := connect(b)
				b.Cleanup(func() { _ = rdb.Close() })
				d := open(b, rdb, func(cfg *api.Config) {
					cfg.Producer = queue.NewProducer(queue.ProducerConfig{Store: cfg.Store, Redis: rdb, Bell: queue.NewBell(),
						Log: slog.New(slog.DiscardHandler), Metrics: queue.NewMetrics(prometheus.NewRegistry()), RecentBytes: bytes})
				})
				const several = 64
				put := func(i int, register string) int {
					r := httptest.NewRequest(http.MethodPut, fmt.Sprint(orders, i%several), strings.NewReader(benchOrder(i, register)))
					r.Header = http.Header{"Authorization": {"Bearer " + adapterToken}, "X-Merchant": {"acme"}, "X-Channel": {"web"}}
					w := httptest.NewRecorder()
					d.handler.ServeHTTP(w, r)
					return w.Code
				}
				for i := range several {
					if code := put(i, `,"notifications":[{"url":"https://h.example/","scope":{"state":["*"]},"ordering":"none"}]`); code != http.StatusCreated {
						b.Fatal(code)
					}
				}
				b.ReportAllocs()
				for i := several; b.Loop(); i++ {
					if code := put(i, ""); code != http.StatusOK {
						b.Fatal(code)
					}
				}
			})
		}
	}
}
