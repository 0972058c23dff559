package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// benchWriters is how many adapters BenchmarkDelivery plays, each with orders of its own.
const (
	benchWriters = 32
	benchOrders  = 16 // of each writer
)

// BenchmarkDelivery is what a change costs on its whole way, from the PUT to the recorded Event, while as many come as are
// taken. What it allocates is Tidings' own: writers and receiver speak HTTP by hand and allocate nothing to speak of.
//
//	go test -run xxx -bench '^BenchmarkDelivery$' -benchtime 10000x -benchmem ./cmd/tidings
func BenchmarkDelivery(b *testing.B) {
	arrived := make(chan struct{}, 1)
	var left atomic.Int64
	target := benchReceiver(b, func() {
		if left.Add(-1) == 0 {
			arrived <- struct{}{}
		}
	})
	p := start(b, "--data-dir", b.TempDir(), "--dev-token", "test-token", "--rate-limit", "0")
	var writers []*benchWriter
	for i := range benchWriters {
		w := &benchWriter{first: i * benchOrders}
		w.dial(b, p)
		for order := range benchOrders {
			code, text := p.call("POST", fmt.Sprint("/api/v0/checkout/orders/", w.first+order, "/notifications"),
				fmt.Sprintf(`{"url":"http://%s/","scope":{"state":["*"]}}`, target))
			if code != http.StatusCreated {
				b.Fatal(text)
			}
		}
		writers = append(writers, w)
	}
	left.Store(int64(b.N))
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before := benchCPU(b)
	for _, w := range writers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := w.put(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	<-arrived
	b.ReportMetric(float64((benchCPU(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// benchCPU is what this process has computed: Redis is another.
func benchCPU(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// benchReceiver answers every POST and counts it.
func benchReceiver(b *testing.B, posted func()) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	body := `{"received":true,"note":"` + strings.Repeat("thanks ", 24) + `12345"}`
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					if _, err := skipMessage(in); err != nil {
						return
					}
					if _, err := conn.Write(answer); err != nil {
						return
					}
					posted()
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// skipMessage reads a request or an answer whose length is given, and returns what its first line holds from the tenth
// byte on.
func skipMessage(in *bufio.Reader) (status int, err error) {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if first && bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
			status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
		}
		const name = "Content-Length: "
		if len(line) > len(name) && string(line[:len(name)]) == name {
			length = 0
			for _, digit := range bytes.TrimSpace(line[len(name):]) {
				length = 10*length + int(digit-'0')
			}
		}
		if len(line) == len("\r\n") {
			break
		}
	}
	_, err = in.Discard(length)
	return status, err
}

// benchWriter is an adapter with one connection.
type benchWriter struct {
	first   int // of its orders
	conn    net.Conn
	in      *bufio.Reader
	head    []byte // of every request, but for its order
	message []byte
	body    []byte
}

func (w *benchWriter) dial(b *testing.B, p *process) {
	address := strings.TrimPrefix(p.base, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	w.conn, w.in = conn, bufio.NewReader(conn)
	w.head = fmt.Appendf(nil, " HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nX-Merchant: acme\r\nX-Channel: web\r\nContent-Length: ", address, p.token)
}

// put writes an order of about 1 KB in a state that it did not have before.
func (w *benchWriter) put(seq int64) error {
	w.body = append(w.body[:0], `{"state":{"currentStatus":"s`...)
	w.body = strconv.AppendInt(w.body, seq, 10)
	w.body = append(append(append(w.body, `"},`...), benchDocument...), '}')
	w.message = append(w.message[:0], "PUT /api/v0/checkout/orders/"...)
	w.message = strconv.AppendInt(w.message, int64(w.first)+seq%benchOrders, 10)
	w.message = append(w.message, w.head...)
	w.message = strconv.AppendInt(w.message, int64(len(w.body)), 10)
	w.message = append(append(w.message, "\r\n\r\n"...), w.body...)
	if _, err := w.conn.Write(w.message); err != nil {
		return err
	}
	status, err := skipMessage(w.in)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("PUT: %d: %w", status, io.ErrUnexpectedEOF)
	}
	return err
}

// benchDocument is what an order holds besides its state.
var benchDocument = `"total":{"includingVat":18735.00,"currency":"SEK"},"customer":{"email":"kim.larsson@example.com","phone":"+46700000000",` +
	`"address":{"firstName":"Kim","lastName":"Larsson","street":"Sveavagen 1","zip":"11157","city":"Stockholm","country":"SE"}},` +
	`"cart":{"items":[` + strings.TrimSuffix(strings.Repeat(
	`{"id":"1","reference":"SKU-04711","name":"Leather hiking boots, brown","quantity":1,"price":{"includingVat":1249.00,"vat":249.80}},`, 5), ",") + `]}`
