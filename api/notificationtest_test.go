package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// Nobody works on the queue here: the test is owed, and told so.
func TestOfANotificationWithoutAWorker(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		d.must(t, 201, http.MethodPost, orders+"1/notifications", `{"id":"n1","url":"https://h.example/","scope":""}`, "X-Channel: web")
		const test = orders + "1/notifications/n1/test"
		first := d.must(t, 202, http.MethodPost, test, "", "Idempotency-Key: t1", "Authorization: Bearer "+readerToken)
		var owed struct{ DeliveryID string }
		first.into(t, &owed)
		if first.header.Get("Location") != v0+"/notifications/deliveries/"+owed.DeliveryID {
			t.Errorf("Location %s", first.header.Get("Location"))
		}
		if again := d.must(t, 202, http.MethodPost, test, "", "Idempotency-Key: t1", "Authorization: Bearer "+readerToken); again.body != first.body {
			t.Errorf("replayed %s, want %s", again.body, first.body)
		}
		var view struct {
			Status, Ordering string
			OrderVersion     int
		}
		d.must(t, 200, http.MethodGet, v0+"/notifications/deliveries/"+owed.DeliveryID, "").into(t, &view)
		if open, _, err := d.store.Backlog(t.Context()); err != nil || open != 1 || view.Status != "pending" || view.Ordering != "none" || view.OrderVersion != 0 {
			t.Errorf("%d open, %+v, %v", open, view, err)
		}
		d.must(t, 404, http.MethodGet, orders+"1", "") // the made-up order is nobody's

		state := d.load(t, "1")
		n := state.Notifications[0]
		n.Stopped = time.Now()
		if _, err := d.store.Commit(t.Context(), store.Commit{State: state, Put: []dispatcher.Notification{n}}); err != nil {
			t.Fatal(err)
		}
		if p := d.must(t, 409, http.MethodPost, test, "").problem(t); p.Code != "notification_stopped" {
			t.Errorf("code %s", p.Code)
		}
	})
}
