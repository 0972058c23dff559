package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
)

// Who deletes Asynq's keys one after the other, while others enqueue, leaves tasks that say they wait and stand nowhere: their keys
// were made after he had listed those to delete, and the list that they were put into was among these.
func TestAsynqKeyspaceLostInPart(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		r := newReceiver(t, nil)
		ids := h.owe("acme", r.URL, 2)
		h.must(rdb.Del(t.Context(), "asynq:{"+queue.Name+"}:pending").Err())
		h.clock.advance(6 * time.Second)
		if n := h.sweep(); n != len(ids) {
			t.Fatalf("the sweep enqueued %d, want %d", n, len(ids))
		}
		h.worker(t)
		for _, id := range ids {
			h.await(id, dispatcher.StatusDelivered)
		}
		if n := len(r.seen()); n != len(ids) {
			t.Errorf("%d deliveries made %d requests", len(ids), n)
		}
	})
}

func TestPlaceOfATask(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 0)
		client := asynq.NewClientFromRedisClient(rdb)
		enqueue := func(id string, more ...asynq.Option) {
			t.Helper()
			if _, err := client.Enqueue(asynq.NewTask("test", nil), append(more, asynq.Queue(queue.Name), asynq.TaskID(id))...); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(what, id string, want bool) {
			t.Helper()
			got, err := queue.HasPlace(h.producer, t.Context(), queue.Name, id)
			h.must(err)
			if got != want {
				t.Errorf("%s: %t", what, got)
			}
		}
		key := func(what string) string { return "asynq:{" + queue.Name + "}:" + what }
		since := func(id string, at time.Duration) {
			h.must(rdb.HSet(t.Context(), key("t:"+id), "pending_since", time.Unix(1_000_000, 0).Add(at).UnixNano()).Err())
		}

		expect("no such task: it has ended since", "none", true)
		enqueue("later", asynq.ProcessIn(time.Hour))
		expect("scheduled", "later", true)
		h.must(rdb.Del(t.Context(), key("scheduled")).Err())
		expect("scheduled, and stands nowhere", "later", false)
		h.must(rdb.HSet(t.Context(), key("t:later"), "state", "retry").Err())
		expect("to be tried again, and stands nowhere", "later", false)
		h.must(rdb.ZAdd(t.Context(), key("retry"), redis.Z{Score: 1, Member: "later"}).Err())
		expect("to be tried again", "later", true)
		h.must(rdb.HSet(t.Context(), key("t:later"), "state", "active").Err())
		expect("dequeued since", "later", true)

		enqueue("mine")
		expect("in a short queue", "mine", true)
		h.must(rdb.LRem(t.Context(), key("pending"), 1, "mine").Err())
		expect("not in a short queue", "mine", false)
		others := make([]any, 1001) // a longer one is not looked through
		for i := range others {
			others[i] = fmt.Sprintf("other%04d", i)
			since(others[i].(string), 0)
		}
		h.must(rdb.LPush(t.Context(), key("pending"), others...).Err())
		since("mine", time.Second)
		expect("came after the next of a long queue", "mine", true)
		since("mine", -9*time.Second)
		expect("came before it, by less than clocks may differ", "mine", true)
		since("mine", -11*time.Second)
		expect("came long before it", "mine", false)
		h.must(rdb.HDel(t.Context(), key("t:other0000"), "pending_since").Err())
		expect("the next was put before others", "mine", true)
		since("other0000", 0)
		h.must(rdb.HDel(t.Context(), key("t:mine"), "pending_since").Err())
		expect("does not tell since when", "mine", true)
	})
}
