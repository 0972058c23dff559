package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/queue"
)

// A balancer has time to see that the process stops: until then it is served as before.
func TestServesWhileItIsSeenToStop(t *testing.T) {
	t.Parallel()
	p := start(t, "--data-dir", t.TempDir(), "--dev-token", "test-token", "--stop-delay", "2s")
	ended, began := make(chan int, 1), time.Now()
	go func() { ended <- p.stop() }()
	p.eventually(func() bool { return strings.Contains(p.stderr.String(), "service.stopping") })
	p.eventually(func() bool {
		code, text := p.call("GET", "/health/ready", "")
		return code == http.StatusServiceUnavailable && strings.Contains(text, "stopping")
	})
	if code, text := p.call("PUT", "/api/v0/checkout/orders/late-1", `{"state":{"currentStatus":"accepted"}}`); code != http.StatusCreated {
		t.Errorf("an order that came before the balancer knew: %d %s", code, text)
	}
	if code := <-ended; code != 0 || time.Since(began) < 2*time.Second {
		t.Errorf("ended with %d after %s", code, time.Since(began))
	}
}

func TestDeadlinesNest(t *testing.T) {
	t.Parallel()
	if dispatcher.MaxTimeout >= queue.ShutdownTimeout {
		t.Error("an attempt may outlive the worker's patience: it would be cut off and sent again")
	}
	if drainTimeout+queue.StopsWithin >= GracePeriod {
		t.Error("the grace period ends before the process does: it would be killed")
	}
	if queue.LeaseRenewal*3 > queue.Lease {
		t.Error("a lease must survive one renewal that fails")
	}
}
