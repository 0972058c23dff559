package queue_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// What of a secret is left where an answer was cut, and what a receiver reads out of Basic credentials; and what is no
// secret stays. Other spellings are in TestPlantedSecrets.
func TestEchoThatWasCutIsScrubbed(t *testing.T) {
	const kept = 16 << 10 // of an answer's body
	each(t, func(t *testing.T, rdb *redis.Client) {
		h := newHouse(t, rdb, 1)
		basic := base64.StdEncoding.EncodeToString([]byte("user:p4ss&w0rd"))
		r := newReceiver(t, func(_ int, w http.ResponseWriter, _ post) {
			w.Header().Set("X-Wants", "Bearer")
			w.Header().Set("X-Login", "user:p4ss&w0rd and p4ss%26w0rd")
			w.Header().Set("X-Long", strings.Repeat("x", 1024-10)+"very-secret-token")
			_, _ = w.Write([]byte("innocent very-secret" + strings.Repeat(".", kept-20-12) + "very-secret-token" + strings.Repeat(".", 100)))
		})
		h.register(r.URL, func(n *dispatcher.Notification) {
			n.Headers = []dispatcher.Header{{Name: "X-Token", Value: "Bearer very-secret-token"}, {Name: "Authorization", Value: dispatcher.Secret("Basic " + basic)}}
		})
		owed := h.change("completed")
		_, attempts := h.await(owed[0].ID, dispatcher.StatusDelivered)
		a := attempts[0]
		if body := string(a.Body); !a.Truncated || !strings.HasPrefix(body, "innocent very-secret...") || !strings.HasSuffix(body, "..******") {
			t.Errorf("kept %d bytes, truncated %v: %.30q ... %q", len(body), a.Truncated, body, body[len(body)-20:])
		}
		if a.Header["X-Wants"] != "Bearer" || a.Header["X-Login"] != "****** and ******" || !strings.HasSuffix(a.Header["X-Long"], "xx******") {
			t.Errorf("kept %q %q %q", a.Header["X-Wants"], a.Header["X-Login"], a.Header["X-Long"][len(a.Header["X-Long"])-20:])
		}
	})
}
