package receiver_test

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher/sign"
)

// docsCode is the one block of that language in docs/receivers.md.
func docsCode(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/receivers.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 1 {
		t.Fatalf("docs/receivers.md has %d blocks of %s", len(blocks), language)
	}
	return blocks[0][1]
}

// The Go of the docs is that of the Example, which runs.
func TestGoOfTheDocs(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(example), docsCode(t, "go")) {
		t.Error("docs/receivers.md and example_test.go differ")
	}
}

// delivery is one request to a receiver of the docs, and what it must answer.
type delivery struct {
	why    string
	seal   func(m sign.Message) http.Header
	age    time.Duration
	path   string
	change func(r *http.Request)
	body   string // sent instead of what was sealed
	status int
	says   string
}

func TestReceiversOfTheDocs(t *testing.T) {
	t.Parallel()
	by := func(s sign.Signer) func(sign.Message) http.Header {
		return func(m sign.Message) http.Header {
			header, err := s.Sign(m)
			if err != nil {
				t.Fatal(err)
			}
			return header
		}
	}
	drop := func(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	v1, other := by(signerV1(t, secret)), by(signerV1(t, sign.GenerateSecret()))
	standard := []delivery{
		{why: "good", seal: v1, status: 200, says: "taken"},
		{why: "the same again", seal: v1, status: 200, says: "known"},
		{why: "an old secret beside it", seal: by(signerV1(t, sign.GenerateSecret(), secret)), status: 200},
		{why: "another secret", seal: other, status: 401, says: "no signature matches"},
		{why: "altered", seal: v1, body: `{"id":"1002"}`, status: 401, says: "no signature matches"},
		{why: "old", seal: v1, age: time.Hour, status: 401, says: "too old by 36"},
		{why: "new", seal: v1, age: -time.Hour, status: 401, says: "too new by 3"},
		{why: "unsealed", seal: v1, change: drop("webhook-signature"), status: 401, says: "missing"},
		{why: "no id", seal: v1, change: drop("webhook-id"), status: 401, says: "missing"},
		{why: "a timestamp in words", seal: v1, change: set("webhook-timestamp", "today"), status: 401, says: "cannot be read"},
		{why: "an entry of nothing", seal: v1, change: set("webhook-signature", "v1, v1a, v9"), status: 401, says: "no signature matches"},
	}
	v1a, fatPay := by(signerV1a(t)), by(signerFaTPay(t, rsaKey()))
	stranger := by(signerFaTPay(t, sign.GenerateRSAKey()))
	query := "/in?token=a%2Bb+c&empty=&z"
	asymmetric := []delivery{
		{why: "v1a", seal: v1a, status: 200},
		{why: "v1a, altered", seal: v1a, body: `{}`, status: 401, says: "no signature matches"},
		{why: "v1a, old", seal: v1a, age: time.Hour, status: 401, says: "too old"},
		{why: "fatpay", seal: fatPay, path: query, status: 200},
		{why: "fatpay, another's key", seal: stranger, path: query, status: 401, says: "does not match"},
		{why: "fatpay, another query", seal: fatPay, change: func(r *http.Request) { r.URL.RawQuery = "token=x" }, status: 401, says: "does not match"},
		{why: "fatpay, another nonce", seal: fatPay, change: set("X-FP-Nonce", "100000"), status: 401, says: "does not match"},
		{why: "fatpay, no nonce", seal: fatPay, change: drop("X-FP-Nonce"), status: 401, says: "x-fp-nonce"},
		{why: "fatpay, old", seal: fatPay, age: time.Hour, status: 401, says: "too old"},
	}
	pem, err := sign.PublicPEM(&rsaKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keyFile, pem, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		language, program, file string
		deliveries              []delivery
	}{
		{"python", "python3", "receiver.py", standard},
		{"js", "node", "receiver.mjs", append(standard, asymmetric...)},
	} {
		t.Run(row.language, func(t *testing.T) {
			t.Parallel()
			base := startDocs(t, row.program, row.file, docsCode(t, row.language),
				"TIDINGS_SECRET="+secret, "TIDINGS_PUBLIC_KEY="+whpk, "TIDINGS_RSA_KEY="+keyFile)
			for _, d := range row.deliveries {
				status, text := d.send(t, base)
				if status != d.status || !strings.Contains(text, d.says) {
					t.Errorf("%s: %d %q, want %d %q", d.why, status, text, d.status, d.says)
				}
			}
		})
	}
}

// startDocs runs the code until the test ends, and returns where it listens.
func startDocs(t *testing.T, program, file, code string, environment ...string) string {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("no %s on the PATH", program)
	}
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, path)
	cmd.Env = append(append(os.Environ(), "PORT=0"), environment...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	base, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !found {
		t.Fatalf("%s said %q (%v)", program, line, err)
	}
	return base
}

func (d delivery) send(t *testing.T, base string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+d.path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	m := sign.Message{Method: r.Method, URL: r.URL.String(), ID: "d-1", Timestamp: time.Now().Add(-d.age), Body: body}
	r.Header = d.seal(m)
	sent := string(body)
	if d.body != "" {
		sent = d.body
	}
	if d.change != nil {
		d.change(r)
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(sent)), int64(len(sent))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
