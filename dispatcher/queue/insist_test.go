package queue_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// deaf loses the answers of so many records: what they wrote is written, and nobody is told.
type deaf struct {
	script string // its hash
	times  atomic.Int32
}

func newDeaf(t *testing.T, times int32) *deaf {
	t.Helper()
	text, err := os.ReadFile("../../store/lua/record.lua")
	if err != nil {
		t.Fatal(err)
	}
	d := &deaf{script: redis.NewScript(string(text)).Hash()}
	d.times.Store(times)
	return d
}

func (*deaf) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*deaf) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (d *deaf) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		named := cmd.Name() == "evalsha" && cmd.Args()[1] == d.script ||
			cmd.Name() == "eval" && strings.HasPrefix(cmd.Args()[1].(string), "-- Records an attempt")
		if err == nil && named && d.times.Add(-1) >= 0 {
			err = io.ErrUnexpectedEOF
			cmd.SetErr(err)
		}
		return err
	}
}

// However a delivery ends, what waits behind it goes on at once though the answer to that record was lost: nobody sweeps here.
func TestTheNextGoesOnWhenTheAnswerOfARecordIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		answer  int
		expires time.Duration // after which the second change comes
		second  dispatcher.Status
	}{
		"delivered":                          {200, 0, dispatcher.StatusDelivered},
		"expired, without an attempt":        {200, time.Hour, dispatcher.StatusDelivered},
		"gone, which stops the notification": {410, 0, dispatcher.StatusCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, rdb *redis.Client) {
				h := newHouse(t, rdb, 0)
				r := newReceiver(t, func(_ int, w http.ResponseWriter, _ post) { w.WriteHeader(c.answer) })
				h.register(r.URL, func(n *dispatcher.Notification) { n.ExpiresAfter = dispatcher.Duration(c.expires) })
				h.change("created")
				h.clock.advance(c.expires)
				d := h.change("paid")[0]
				lost := newDeaf(t, 2)
				rdb.AddHook(lost)
				h.worker(t)
				h.await(d.ID, c.second)
				if left := lost.times.Load(); left >= 0 {
					t.Errorf("%d more answers were to be lost", left)
				}
			})
		})
	}
}
