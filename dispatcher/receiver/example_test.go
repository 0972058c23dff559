package receiver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/tidings/tidings/dispatcher/receiver"
	"github.com/tidings/tidings/dispatcher/sign"
)

// orders takes deliveries: sealed ones only, each once, and of each order only what is newer than what it has.
type orders struct {
	verifier receiver.Verifier
	mu       sync.Mutex
	done     map[string]bool  // by webhook-id; a real receiver keeps it with its data
	newest   map[string]int64 // version by order
}

func (o *orders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	message, err := o.verifier.Receive(r)
	if err != nil {
		http.Error(w, string(receiver.ReasonOf(err)), http.StatusUnauthorized)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.done[message.ID]:
		fmt.Fprint(w, "known") // 2xx: it need not come again
	case message.OrderVersion < o.newest[message.OrderID]:
		fmt.Fprint(w, "late")
	default:
		o.done[message.ID], o.newest[message.OrderID] = true, message.OrderVersion
		fmt.Fprintf(w, "order %s, version %d, by %s", message.OrderID, message.OrderVersion, strings.Join(message.Scope, ", "))
	}
}

func Example() {
	secret := sign.GenerateSecret() // the one of the notification's signing
	server := httptest.NewServer(&orders{
		verifier: receiver.Verifier{Secrets: []string{secret}}, done: map[string]bool{}, newest: map[string]int64{},
	})
	defer server.Close()

	body := `{"id":"1001","merchant":"acme","channel":"web","state":{"currentStatus":"completed"}}`
	post(server.URL, secret, body)
	post(server.URL, secret, body)
	post(server.URL, sign.GenerateSecret(), body)
	// Output:
	// 200 order 1001, version 2, by state.completed
	// 200 known
	// 401 no_match
}

// post sends what Tidings would.
func post(url, secret, body string) {
	signer, _ := sign.NewStandardWebhooks(secret)
	header, _ := signer.Sign(sign.Message{ID: "0f7c3bd0a1856b7cc923de38a21d444e", Timestamp: time.Now(), Body: []byte(body)})
	header.Set("X-Tidings-Order", "1001")
	header.Set("X-Tidings-Order-Version", "2")
	header.Set("X-Tidings-Scope", "state.completed")
	r, _ := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	r.Header = header
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	text := make([]byte, 100)
	n, _ := answer.Body.Read(text)
	fmt.Println(answer.StatusCode, strings.TrimSpace(string(text[:n])))
}
