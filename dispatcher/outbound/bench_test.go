package outbound_test

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/outbound"
)

// BenchmarkDo is one POST of an order of 1.5 KB over a connection that is kept. The receiver allocates nothing.
func BenchmarkDo(b *testing.B) {
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n" +
		strings.Repeat("thanks ", 28) + "1234")
	url := "http://" + raw(b, func(conn *net.TCPConn) {
		in := bufio.NewReader(conn)
		for {
			if err := skipRequest(in); err != nil {
				return
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}) + "/orders?token=x"
	c, body := local(b), bytes.Repeat([]byte("x"), benchBody)
	b.ReportAllocs()
	for b.Loop() {
		answer := c.Do(b.Context(), outbound.Request{URL: url, Body: body, Header: http.Header{
			"User-Agent": {"Tidings/1"}, "Webhook-Id": {"1"}, "Content-Type": {"application/json"}, "X-Merchant": {"acme"},
		}})
		if answer.StatusCode != http.StatusOK || answer.Sent != dispatcher.SentYes || len(answer.Body) != 200 {
			b.Fatal(answer)
		}
	}
}

const benchBody = 1500

// skipRequest reads a request of BenchmarkDo.
func skipRequest(in *bufio.Reader) error {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == len("\r\n") {
			_, err := in.Discard(benchBody)
			return err
		}
	}
}
