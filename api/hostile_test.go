package api_test

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/store/storetest"
)

// upTo repeats a piece as often as fits between before and after into a body of the largest size.
func upTo(before, after string, piece func(i int) string) string {
	var b strings.Builder
	b.WriteString(before)
	for i := 0; ; i++ {
		p := piece(i)
		if b.Len()+len(p)+len(after) > api.MaxBodyBytes {
			return strings.TrimSuffix(b.String(), ",") + after
		}
		b.WriteString(p)
	}
}

func always(piece string) func(int) string { return func(int) string { return piece } }

func longName(value string) string {
	var b strings.Builder
	b.WriteString(`{"` + strings.Repeat("n", 900) + `":{"":0`)
	for i := range 40_000 {
		b.WriteString(`,"` + strconv.FormatInt(int64(i), 36) + `":` + value)
	}
	return upTo(b.String()+"},", `}`, func(i int) string { return `"z` + strconv.FormatInt(int64(i), 36) + `":` + value + `,` })
}

// hostile bodies are as large as one may be, and made to cost more than they look.
var hostile = []struct {
	why, method, path, body string
	want                    int
}{
	{"only opens arrays", "PUT", orders + "h", upTo("", "", always("[")), 400},
	{"only opens objects", "PUT", orders + "h", upTo("", "", always(`{"":`)), 400},
	{"opens and closes, deeper than allowed", "PUT", orders + "h", strings.Repeat("[", 1<<19) + strings.Repeat("]", 1<<19), 400},
	{"deeper than allowed, again and again", "PUT", orders + "h", upTo(`{"a":[`, `]}`, always(strings.Repeat("[", 100)+strings.Repeat("]", 100)+",")), 400},
	{"one name, again and again", "PUT", orders + "h", upTo(`{`, `}`, always(`"a":1,`)), 400},
	{"one long name around many faults", "PUT", orders + "h", upTo(`{"`+strings.Repeat("x", 1<<19)+`":[`, `]}`, always(`1e999,`)), 400},
	{"one long number", "PUT", orders + "h", upTo(`{"a":`, `}`, always("9")), 400},
	{"many numbers of great exponents", "PUT", orders + "h", upTo(`{"a":[`, `]}`, always("1e400,")), 201},
	{"many numbers beyond", "PUT", orders + "h", upTo(`{"a":[`, `]}`, always("1e999999999,")), 400},
	{"one long string", "PUT", orders + "h", upTo(`{"a":"`, `"}`, always("x")), 200},
	{"one long string, all escapes", "PUT", orders + "h", upTo(`{"a":"`, `"}`, always(`\u00e9`)), 200},
	{"many empty arrays", "PUT", orders + "h", upTo(`{"a":[`, `]}`, always(`[],`)), 200},
	{"many small numbers", "PUT", orders + "h", upTo(`{"a":[`, `]}`, always(`1,`)), 200},
	{"many members", "PUT", orders + "h", upTo(`{`, `}`, func(i int) string { return `"` + strconv.FormatInt(int64(i), 36) + `":1,` }), 200},
	{"many members under a long name, and beside it", "PUT", orders + "h", longName("1"), 200},
	// Each of them is told as changed under the long name, or by its first name alone when that is too much.
	{"the same, all changed", "PUT", orders + "h", longName("2"), 200},
	{"only white space", "PUT", orders + "h", upTo("", "", always(" ")), 400},
	{"white space in between", "PUT", orders + "h", upTo(`{"a":1`, `}`, always(" ")), 200},
	{"unknown members", "POST", orders + "h/notifications", upTo(`{`, `}`, func(i int) string { return `"` + strconv.Itoa(i) + `":1,` }), 422},
	{"headers", "POST", orders + "h/notifications", upTo(`{"url":"https://h.example/","scope":"","headers":{`, `}}`, func(i int) string { return `"a b` + strconv.Itoa(i) + `":"",` }), 422},
	{"actors", "POST", orders + "h/notifications", upTo(`{"url":"https://h.example/","scope":"","excludeActors":[`, `]}`, always(`"",`)), 422},
	{"a schedule", "POST", orders + "h/notifications", upTo(`{"url":"https://h.example/","scope":"","retry":{"schedule":[`, `]}}`, always(`"",`)), 422},
	{"statuses", "POST", orders + "h/notifications", upTo(`{"url":"https://h.example/","scope":{"state":[`, `]}}`, always(`"",`)), 422},
	{"a schema of many parts", "POST", orders + "h/notifications", upTo(`{"url":"https://h.example/","scope":"","schema":{"allOf":[`, `]}}`, always(`{"type":"array"},`)), 422},
	{"a schema of one long pattern", "POST", orders + "h/notifications", upTo(`{"url":"https://h.example/","scope":"","schema":{"pattern":"`, `"}}`, always(`(a+)+`)), 422},
	{"a schema whose pattern repeats repetitions", "POST", orders + "h/notifications", `{"url":"https://h.example/","scope":"","schema":{"pattern":"((((a{0,100}){0,100}){0,100}){0,100}){0,100}"}}`, 422},
	{"a long URL of placeholders", "POST", orders + "h/notifications", upTo(`{"scope":"","url":"https://h.example/`, `"}`, always(`{order.a}`)), 422},
	{"registrations", "PUT", orders + "h", upTo(`{"notifications":[`, `]}`, always(`{},`)), 422},
	{"callback URLs", "PUT", orders + "h", upTo(`{"callback_urls":[`, `]}`, always(`"",`)), 422},
	{"configured notifications", "PUT", v0 + "/configurations/h", upTo(`{"notifications":[`, `]}`, always(`{},`)), 422},
	{"a patch that takes away what is not there", "PATCH", orders + "h", upTo(`{`, `}`, func(i int) string { return `"q` + strconv.Itoa(i) + `":null,` }), 200},
}

// What a body may cost, however it is made. An honest order of this size takes 0.4 s and 200 MB in all, under the race
// detector on a machine with ten times the work that it can do 4 s. What is quadratic takes minutes.
const (
	mostTime  = 20 * time.Second
	mostBytes = 300 << 20
)

// Not parallel, so that what is allocated meanwhile is this request's.
func TestHostileBodiesCostLittle(t *testing.T) {
	d := open(t, storetest.Mini(t))
	for _, row := range hostile {
		if len(row.body) > api.MaxBodyBytes {
			t.Fatalf("%s: %d bytes", row.why, len(row.body))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		a := d.call(t, row.method, row.path, row.body, "X-Channel: web")
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		cost := after.TotalAlloc - before.TotalAlloc
		t.Logf("%-45s %d, %4d ms, %4d MB, answer %d kB", row.why, a.status, took.Milliseconds(), cost>>20, len(a.body)>>10)
		if a.status != row.want {
			t.Errorf("%s: %d %.300s, want %d", row.why, a.status, a.body, row.want)
		}
		if took > mostTime || cost > mostBytes {
			t.Errorf("%s took %s and %d MB", row.why, took, cost>>20)
		}
		if len(a.body) > 2*api.MaxBodyBytes {
			t.Errorf("%s: an answer of %d bytes", row.why, len(a.body))
		}
	}
	d.must(t, http.StatusOK, http.MethodGet, orders+"h", "")
}
