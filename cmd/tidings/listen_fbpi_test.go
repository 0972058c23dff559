package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// noon is the API that the flow fetches from: it answers the statuses it is given, one by one, then what it has.
type noon struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []int
	asked    []string
	version  int
	hold     chan struct{} // not nil: the first request waits for it
	headers  http.Header
	wrongNr  bool
	notJSON  bool
	customer string
}

func newNoon(t *testing.T, answers ...int) *noon {
	t.Helper()
	n := &noon{answers: answers, customer: `{"first_name":"Ada","city":"A&B"}`}
	n.Server = httptest.NewServer(n)
	t.Cleanup(n.Close)
	return n
}

func (n *noon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	hold := n.hold
	n.hold = nil
	n.asked, n.headers = append(n.asked, r.URL.EscapedPath()), r.Header
	status, version := http.StatusOK, n.version
	if len(n.answers) > 0 {
		status, n.answers = n.answers[0], n.answers[1:]
	}
	wrong, notJSON := n.wrongNr, n.notJSON
	n.mu.Unlock()
	if hold != nil {
		<-hold
	}
	parts := strings.Split(r.URL.Path, "/")
	switch {
	case status != http.StatusOK:
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	case notJSON:
		fmt.Fprint(w, "<html>")
	case strings.HasSuffix(r.URL.Path, "/customer-details/get"):
		fmt.Fprint(w, n.customer)
	case wrong:
		fmt.Fprint(w, `{"fbpi_order_nr":"another"}`)
	default:
		fmt.Fprintf(w, `{"fbpi_order_nr":%q,"version":%d,"items":[{"delivered_invoice_price":93.0900}]}`, parts[len(parts)-2], version)
	}
}

func (n *noon) requests() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.asked, " ")
}

func fbpiBody(orderNr, messageID string) string {
	return fmt.Sprintf(`{"event_schema_version":1,"event_type":"FBPI::ORDER_SYNC","metadata":{"message_id":%q,"published_at":"2026-04-09T08:42:15Z","project_code":"p"},"payload":{"order_nr":%q}}`, messageID, orderNr)
}

// record waits until the order's status is one of those.
func (l *listening) record(dir, file string, statuses ...fbpiStatus) (r fbpiRecord) {
	l.t.Helper()
	l.eventually(func() bool {
		var err error
		if r, err = readFBPIRecord(filepath.Join(dir, file+fbpiRecordSuffix)); err != nil {
			return false
		}
		for _, s := range statuses {
			if r.Status == s {
				return true
			}
		}
		return false
	})
	return r
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFBPIFlowStoresTheOrder(t *testing.T) {
	t.Parallel()
	source, dir := newNoon(t, 404, 503, 200, 404), filepath.Join(t.TempDir(), "out") // order, order, order, customer
	l := listen(t, "--fbpi-base", source.URL, "--fbpi-token", "t0ken", "--fbpi-merchant", "acme", "--out", dir, "--seed", "1")
	if status := l.must("/noon", fbpiBody("NF.1", "m-1")); status != 200 {
		t.Fatal(status)
	}
	r := l.record(dir, "NF%2E1", fbpiStored)
	if r.Fetches != 5 || r.EventType != "FBPI::ORDER_SYNC" || r.Why != "" {
		t.Errorf("record %+v", r)
	}
	want := `{"customer_details":{"first_name":"Ada","city":"A&B"},"fbpi_order_nr":"NF.1","items":[{"delivered_invoice_price":93.0900}],"version":0}`
	if got := readFile(t, filepath.Join(dir, "NF%2E1.json")); strings.TrimSpace(got) != want {
		t.Errorf("got  %swant %s", got, want)
	}
	order, customer := "/fbpi/v1/fbpi-order/NF.1/get", "/fbpi/v1/fbpi-order/NF.1/customer-details/get"
	if got := source.requests(); got != strings.Join([]string{order, order, order, customer, customer}, " ") {
		t.Error("asked", got)
	}
	if source.headers.Get("Authorization") != "Bearer t0ken" || source.headers.Get("X-Merchant") != "acme" {
		t.Error("headers", source.headers)
	}
	for _, status := range []string{"received", "fetched", "stored"} {
		l.eventually(func() bool { return strings.Contains(l.out.String(), "fbpi order NF.1: "+status) })
	}
	if strings.Contains(l.out.String(), "t0ken") {
		t.Error("the token is told")
	}
}

func TestFBPIFlowIsIdempotent(t *testing.T) {
	t.Parallel()
	source, dir := newNoon(t), t.TempDir()
	l := listen(t, "--fbpi-base", source.URL, "--out", dir)
	l.must("/", fbpiBody("N1", "m-1"))
	l.record(dir, "N1", fbpiStored)
	if status := l.must("/", fbpiBody("N1", "m-1")); status != 200 {
		t.Error(status)
	}
	if r := l.record(dir, "N1", fbpiStored); r.Events != 1 || r.Fetches != 2 {
		t.Errorf("a duplicate was worked on: %+v", r)
	}
	source.mu.Lock()
	source.version = 2
	source.mu.Unlock()
	l.must("/", fbpiBody("N1", "m-2"))
	l.eventually(func() bool { return strings.Contains(readFile(t, filepath.Join(dir, "N1.json")), `"version":2`) })
	l.eventually(func() bool { r := l.record(dir, "N1", fbpiStored); return r.Events == 2 && len(r.Messages) == 2 })
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Error("more than a file and its status:", entries)
	}
}

// An event that comes while the order is being fetched is not lost: what was asked before it may be older than it.
func TestFBPIFlowIsOvertaken(t *testing.T) {
	t.Parallel()
	source, dir := newNoon(t), t.TempDir()
	hold := make(chan struct{})
	source.hold = hold
	l := listen(t, "--fbpi-base", source.URL, "--out", dir)
	l.must("/", fbpiBody("N1", "m-1"))
	l.eventually(func() bool { return source.requests() != "" })
	source.mu.Lock()
	source.version = 2
	source.mu.Unlock()
	l.must("/", fbpiBody("N1", "m-2"))
	close(hold)
	if r := l.record(dir, "N1", fbpiStored); r.Events != 2 {
		t.Errorf("record %+v", r)
	}
	if got := readFile(t, filepath.Join(dir, "N1.json")); !strings.Contains(got, `"version":2`) {
		t.Error("the older order is kept:", got)
	}
}

func TestFBPIFlowRefusesBadEvents(t *testing.T) {
	t.Parallel()
	source, dir := newNoon(t), t.TempDir()
	l := listen(t, "--fbpi-base", source.URL, "--out", filepath.Join(dir, "out"))
	for why, body := range map[string]string{
		"no order_nr": `{"event_schema_version":1,"event_type":"A::B","metadata":{},"payload":{"barcode":"X"}}`,
		"empty":       fbpiBody("", "m"), "out of the directory": fbpiBody("../../etc/passwd", "m"), "of a Windows directory": fbpiBody(`..\x`, "m"),
		"a zero byte": fbpiBody("a\x00b", "m"), "too long": fbpiBody(strings.Repeat("a", 129), "m"), "not JSON": "order_nr=1",
		"a number":      `{"event_schema_version":1,"event_type":"A::B","metadata":{},"payload":{"order_nr":7}}`,
		"version 2":     strings.Replace(fbpiBody("N1", "m"), `version":1`, `version":2`, 1),
		"version \"1\"": strings.Replace(fbpiBody("N1", "m"), `version":1`, `version":"1"`, 1), "nothing": "",
	} {
		if status := l.must("/", body); status != 400 {
			t.Errorf("%s: %d", why, status)
		}
	}
	if got := source.requests(); got != "" {
		t.Error("asked", got)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "out")); len(entries) > 0 || err != nil {
		t.Error("written:", entries, err)
	}
	if !strings.Contains(l.out.String(), `"barcode":"X"`) || !strings.Contains(l.out.String(), "payload.order_nr is missing") {
		t.Errorf("body and reason are not logged:\n%s", l.out)
	}
	if status := l.must("/", fbpiBody("..", "m")); status != 200 {
		t.Error("an id that Tidings allows is refused:", status)
	}
	l.record(filepath.Join(dir, "out"), "%2E%2E", fbpiFailed, fbpiStored)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Error("written beside the directory:", entries)
	}
	if status := l.must("/", norceBody); status != 200 {
		t.Error("another format is none of its business:", status)
	}
}

func TestFBPIFlowGivesUpAndIsReplayed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		why      string
		change   func(*noon)
		says     string
		requests int
	}{
		{"not known, however often asked", func(n *noon) { n.answers = []int{404, 404} }, "not available after 2 tries: answered 404", 2},
		{"a token that is not let in", func(n *noon) { n.answers = []int{401} }, "answered 401", 1},
		{"a redirect must not get the token", func(n *noon) { n.answers = []int{302} }, "answered 302", 1},
		{"another order's", func(n *noon) { n.wrongNr = true }, `about "another"`, 1},
		{"not JSON", func(n *noon) { n.notJSON = true }, "no JSON object", 1},
		{"a customer that fails", func(n *noon) { n.answers = []int{200, 403} }, "the customer: answered 403", 2},
	} {
		source, dir := newNoon(t), t.TempDir()
		row.change(source)
		args := []string{"--fbpi-base", source.URL, "--out", dir, "--fbpi-tries", "2"}
		l := listen(t, args...)
		l.must("/", fbpiBody("N1", "m-1"))
		if r := l.record(dir, "N1", fbpiFailed); !strings.Contains(r.Why, row.says) || r.Fetches != row.requests {
			t.Errorf("%s: %+v", row.why, r)
		}
		if _, err := os.Stat(filepath.Join(dir, "N1.json")); err == nil {
			t.Errorf("%s: something was stored", row.why)
		}
		l.stop()
		source.mu.Lock()
		source.wrongNr, source.notJSON = false, false
		source.mu.Unlock()
		l = listen(t, args...) // the next start replays it
		if r := l.record(dir, "N1", fbpiStored); r.Why != "" || r.Events != 1 {
			t.Errorf("%s: replayed: %+v", row.why, r)
		}
	}
}

// What a kill leaves: the status "received", perhaps a file half written. The next start goes on.
func TestFBPIFlowResumes(t *testing.T) {
	t.Parallel()
	source, dir := newNoon(t), t.TempDir()
	for name, text := range map[string]string{
		"N1.status.json": `{"orderNr":"N1","status":"received","events":1,"messages":["m-1"]}`,
		"N2.status.json": `{"orderNr":"N2","status":"fetched","events":1}`,
		"N3.status.json": `{"orderNr":"N3","status":"stored","events":1}`,
		".new-123":       `{"orderNr":"N1","st`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := listen(t, "--fbpi-base", source.URL, "--out", dir)
	l.record(dir, "N1", fbpiStored)
	l.record(dir, "N2", fbpiStored)
	if strings.Contains(source.requests(), "N3") {
		t.Error("what was stored is fetched again")
	}
	if _, err := os.Stat(filepath.Join(dir, ".new-123")); err == nil {
		t.Error("half a file is kept")
	}
	l.stop()

	// Stopped while it waits for an order: the status stays, and no failure is written.
	source.mu.Lock()
	source.answers = []int{404, 404, 404, 404, 404, 404, 404}
	source.mu.Unlock()
	l = listen(t, "--fbpi-base", source.URL, "--out", dir)
	l.must("/", fbpiBody("N4", "m-1"))
	l.eventually(func() bool { return strings.Contains(source.requests(), "N4") })
	l.stop()
	if r := l.record(dir, "N4", fbpiReceived); r.Why != "" {
		t.Errorf("%+v", r)
	}

	// A status that cannot be read is not a status that is not there.
	if err := os.WriteFile(filepath.Join(dir, "N1.status.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runFor(t, "listen", "--port", "0", "--fbpi-base", source.URL, "--out", dir); code != 1 || !strings.Contains(stderr, "N1.status.json") {
		t.Error(code, stderr)
	}
}

func TestFBPIFlowAndFaults(t *testing.T) {
	t.Parallel()
	source, dir := newNoon(t), t.TempDir()
	secret := sign.GenerateSecret()
	l := listen(t, "--fbpi-base", source.URL, "--out", dir, "--fail-first", "1", "--secret", secret)
	if status := l.must("/", fbpiBody("N1", "m-1")); status != 503 {
		t.Error("the fault is not played:", status)
	}
	if status := l.must("/", fbpiBody("N1", "m-1")); status != 401 {
		t.Error("an event without a seal is taken:", status)
	}
	signer, _ := sign.NewStandardWebhooks(secret)
	header, err := signer.Sign(sign.Message{ID: "m-1", Timestamp: time.Now(), Body: []byte(fbpiBody("N1", "m-1"))})
	if err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Error("written:", entries)
	}
	status := l.must("/", fbpiBody("N1", "m-1"), "webhook-id", "m-1", "webhook-timestamp", header.Get("webhook-timestamp"), "webhook-signature", header.Get("webhook-signature"))
	if status != 200 {
		t.Error(status)
	}
	l.record(dir, "N1", fbpiStored)
}

// The whole way: Tidings tells, listen fetches from Tidings what noon's receivers fetch.
func TestFBPIFlowAgainstTidings(t *testing.T) {
	t.Parallel()
	p := start(t, "--data-dir", t.TempDir(), "--dev-token", "test-token")
	dir := t.TempDir()
	l := listen(t, "--fbpi-base", p.base, "--fbpi-token", "test-token", "--fbpi-merchant", "acme", "--out", dir, "--json")
	if code, text := p.call("POST", "/api/v0/checkout/orders/NFBO1/notifications",
		fmt.Sprintf(`{"url":%q,"scope":{"state":["*"]},"format":"fbpi","options":{"projectCode":"p"}}`, l.base+"/noon?key=k")); code != http.StatusCreated {
		t.Fatal(code, text)
	}
	if code, text := p.call("PUT", "/api/v0/checkout/orders/NFBO1", `{"state":{"currentStatus":"accepted"},"currency":"AED","items":[{"id":"i1","sku":"s1","delivered_invoice_price":93.0900}],"customer":{"shipping":{"firstName":"Ada","city":"Dubai"}}}`); code != http.StatusCreated {
		t.Fatal(code, text)
	}
	l.record(dir, "NFBO1", fbpiStored)
	var got struct {
		OrderNr  string `json:"fbpi_order_nr"`
		Currency string `json:"currency_code"`
		Items    []struct {
			SKU   string      `json:"partner_sku"`
			Price json.Number `json:"delivered_invoice_price"`
		}
		Customer map[string]string `json:"customer_details"`
	}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "NFBO1.json"))), &got); err != nil {
		t.Fatal(err)
	}
	if got.OrderNr != "NFBO1" || got.Currency != "AED" || len(got.Items) != 1 || got.Items[0].SKU != "s1" || got.Items[0].Price != "93.0900" ||
		got.Customer["first_name"] != "Ada" || got.Customer["city"] != "Dubai" {
		t.Errorf("stored %+v", got)
	}
	events := p.events("orderId=NFBO1&outcome=delivered", 1)
	if r := l.record(dir, "NFBO1", fbpiStored); len(r.Messages) != 1 || r.Messages[0] != events[0].DeliveryID || r.EventType != "FBPI::ORDER_CREATED" {
		t.Errorf("record %+v", r)
	}
}
