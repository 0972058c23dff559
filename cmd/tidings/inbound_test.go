package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/queue"
)

// hasty is patience for a test.
var hasty = patience{header: 200 * time.Millisecond, read: 400 * time.Millisecond, write: time.Second, idle: 300 * time.Millisecond}

// serveHasty runs a server with little patience over a handler that reads bodies to their end.
func serveHasty(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	}), slog.New(slog.DiscardHandler), hasty)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// drip sends a start, then a byte every few milliseconds, until the other side hangs up, and returns what it answered.
func drip(t *testing.T, address, start string) (answer string, lasted time.Duration) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	_ = conn.SetDeadline(began.Add(20 * time.Second))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		_, err := io.WriteString(conn, start)
		for ; err == nil; <-tick.C {
			_, err = io.WriteString(conn, "x")
		}
	}()
	text, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("still connected after 20 s; answered %q", text)
	}
	lasted = time.Since(began)
	_ = conn.Close()
	<-stopped
	return string(text), lasted
}

// Who sends slowly holds a connection for no longer than the server's patience, and no work is done for them.
func TestSlowClientsAreHungUpOn(t *testing.T) {
	t.Parallel()
	address := serveHasty(t)
	for _, row := range []struct{ why, start, answer string }{
		{"a header byte by byte", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""},
		{"a request line byte by byte", "GET /", ""},
		{"a body byte by byte", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "HTTP/1.1 400 "},
		{"a chunk byte by byte", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", "HTTP/1.1 400 "},
	} {
		answer, lasted := drip(t, address, row.start)
		if row.answer == "" && strings.HasPrefix(answer, "HTTP/1.1 2") || !strings.HasPrefix(answer, row.answer) {
			t.Errorf("%s: answered %q, want %q", row.why, answer, row.answer)
		}
		if lasted < hasty.header/2 {
			t.Errorf("%s: hung up on after %s already, so nothing was shown", row.why, lasted)
		}
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", serveHasty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200") {
		t.Errorf("%q, %v", text, err)
	}
}

// The patience that serve has is finite, and long enough for those who are only far away.
func TestUsualPatience(t *testing.T) {
	t.Parallel()
	s := newServer(nil, slog.New(slog.DiscardHandler), usualPatience)
	for name, d := range map[string]time.Duration{"header": s.ReadHeaderTimeout, "read": s.ReadTimeout, "write": s.WriteTimeout, "idle": s.IdleTimeout} {
		if d < 5*time.Second || d > 5*time.Minute {
			t.Errorf("%s: %s", name, d)
		}
	}
	if s.WriteTimeout <= s.ReadTimeout {
		t.Error("a request that came slowly could not be answered")
	}
}

// raw sends a request as it stands and returns the status of the first answer.
func raw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = io.WriteString(conn, request) }() // the server may hang up before it has all
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	_, status, _ := strings.Cut(line, " ")
	return status[:3]
}

// The whole binary, as it stands on the network.
func TestServeWithstandsStrangers(t *testing.T) {
	t.Parallel()
	p := start(t, "--data-dir", t.TempDir(), "--dev-token", "test-token")
	address := strings.TrimPrefix(p.base, "http://")
	head := "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	for _, row := range []struct{ why, request, want string }{
		{"fits", head + "X-Long: " + strings.Repeat("x", 60<<10) + "\r\n\r\n", "200"},
		{"one header too long", head + "X-Long: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431"},
		{"too many headers", head + strings.Repeat("X: y\r\n", 20_000) + "\r\n", "431"},
		{"too long a URL", "GET /health/live?" + strings.Repeat("x", 80<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
		{"no host", "GET /health/live HTTP/1.1\r\n\r\n", "400"},
		{"two hosts", "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		{"two lengths", "POST /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
		{"a negative length", "POST /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400"},
		{"a coding that nobody knows", "POST /health/live HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
		{"a header with a space in its name", "GET /health/live HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n", "400"},
		{"no HTTP", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n", "400"},
	} {
		if got := raw(t, address, row.request); got != row.want {
			t.Errorf("%s: %s, want %s", row.why, got, row.want)
		}
	}
	readOnly(t, p)
	statuses := map[int]int{}
	for i := range 40 {
		code, _ := p.call("GET", "/api/v0/checkout/notifications/events", "", "Authorization", fmt.Sprint("Bearer guess-", i))
		statuses[code]++
	}
	if statuses[http.StatusUnauthorized] < 10 || statuses[http.StatusTooManyRequests] < 10 {
		t.Errorf("40 guesses: %v", statuses)
	}
	if code, _ := p.call("GET", "/api/v0/checkout/notifications/events", ""); code != http.StatusOK {
		t.Errorf("who was let in before: %d", code)
	}
}

func TestServeHoldsATokenToItsRate(t *testing.T) {
	t.Parallel()
	p := start(t, "--data-dir", t.TempDir(), "--dev-token", "test-token", "--rate-limit", "1", "--rate-burst", "5")
	statuses := map[int]int{}
	for range 20 { // faster than one per second
		code, _ := p.call("GET", "/api/v0/checkout/notifications/events", "")
		statuses[code]++
	}
	if statuses[http.StatusOK] < 4 || statuses[http.StatusTooManyRequests] == 0 {
		t.Errorf("20 requests: %v", statuses)
	}
}

// Asynqmon shows and changes nothing, whatever is asked of it.
func readOnly(t *testing.T, p *process) {
	t.Helper()
	admin := []string{"Authorization", "Bearer " + p.token}
	owed := `{"a":1,"notifications":[{"url":"http://127.0.0.1:1/","scope":""}]}`
	if code, text := p.call("PUT", "/api/v0/checkout/orders/1", owed); code != http.StatusCreated {
		t.Fatal(code, text)
	}
	queuePath := "/monitoring/api/queues/" + queue.Name
	p.eventually(func() bool { code, _ := p.call("GET", queuePath, "", admin...); return code == http.StatusOK })
	for _, row := range [][2]string{
		{"POST", ":pause"}, {"DELETE", ""}, {"POST", "/active_tasks:cancel_all"}, {"DELETE", "/pending_tasks:delete_all"},
		{"POST", "/pending_tasks:archive_all"}, {"POST", "/retry_tasks:run_all"}, {"DELETE", "/archived_tasks:delete_all"},
		{"POST", "/archived_tasks:run_all"}, {"PUT", ":pause"}, {"PATCH", ":pause"},
	} {
		for _, headers := range [][]string{nil, {"X-HTTP-Method-Override", "GET"}} {
			if code, text := p.call(row[0], queuePath+row[1], "", append(admin, headers...)...); code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d %s", row[0], row[1], code, text)
			}
		}
	}
	for _, override := range []string{"X-HTTP-Method-Override", "X-HTTP-Method"} {
		p.call("GET", queuePath+":pause", "", append(admin, override, "POST")...)
	}
	if code, text := p.call("GET", queuePath, "", admin...); code != http.StatusOK || !strings.Contains(text, `"paused":false`) {
		t.Errorf("the queue afterwards: %d %s", code, text)
	}
}
