package api_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// verb is what a route does, as design.md §3 divides it: "adapter writes and reads, merchant reads and retries, admin
// all" (an adapter may retry, too).
type verb string

const (
	anyone   verb = "is open"
	reads    verb = "reads"
	writes   verb = "writes"
	retries  verb = "retries"
	operates verb = "is for operators"
)

type guardedRoute struct {
	does   verb
	wanted int    // for whoever passes; the ids lead nowhere
	body   string // at fault where a good one would make something
	makes  bool   // what has the id is made if it is not there
}

// guarded has a row for every route; a route without one fails the test.
var guarded = map[string]guardedRoute{
	"GET /health/live":  {does: anyone, wanted: 200},
	"GET /health/ready": {does: anyone, wanted: 200},
	"GET /openapi.yaml": {does: anyone, wanted: 200},
	"GET /":             {does: anyone, wanted: 200}, // says only where the others are
	"GET /monitoring":   {does: anyone, wanted: 301}, // says only where the pages are

	"GET /metrics":             {does: operates, wanted: 200},
	"GET /monitoring/*any":     {does: operates, wanted: 404}, // here nothing stands behind it
	"POST /monitoring/*any":    {does: operates, wanted: 404},
	"PUT /monitoring/*any":     {does: operates, wanted: 404},
	"PATCH /monitoring/*any":   {does: operates, wanted: 404},
	"HEAD /monitoring/*any":    {does: operates, wanted: 404},
	"OPTIONS /monitoring/*any": {does: operates, wanted: 404},
	"DELETE /monitoring/*any":  {does: operates, wanted: 404},
	"CONNECT /monitoring/*any": {does: operates, wanted: 404},
	"TRACE /monitoring/*any":   {does: operates, wanted: 404},

	"PUT " + orders + ":orderId":                      {does: writes, wanted: 422, body: `[]`, makes: true},
	"PATCH " + orders + ":orderId":                    {does: writes, wanted: 404, body: `{}`},
	"GET " + orders + ":orderId":                      {does: reads, wanted: 404},
	"DELETE " + orders + ":orderId":                   {does: writes, wanted: 404},
	"POST " + orders + ":orderId/notifications":       {does: writes, wanted: 422, body: `{}`, makes: true},
	"GET " + orders + ":orderId/notifications":        {does: reads, wanted: 404},
	"GET " + orders + ":orderId/notifications/:id":    {does: reads, wanted: 404},
	"PUT " + orders + ":orderId/notifications/:id":    {does: writes, wanted: 404, body: good},
	"DELETE " + orders + ":orderId/notifications/:id": {does: writes, wanted: 404},

	"POST " + orders + ":orderId/notifications/:id/rotate-secret": {does: writes, wanted: 404},
	"POST " + orders + ":orderId/notifications/:id/test":          {does: retries, wanted: 404},

	"GET " + v0 + "/notifications/events":                  {does: reads, wanted: 200},
	"GET " + v0 + "/notifications/events/:eventId":         {does: reads, wanted: 404},
	"POST " + v0 + "/notifications/events/:eventId/retry":  {does: retries, wanted: 404},
	"GET " + v0 + "/notifications/deliveries/:deliveryId":  {does: reads, wanted: 404},
	"GET " + v0 + "/notifications/targets":                 {does: operates, wanted: 200},
	"GET " + v0 + "/notifications/targets/:target":         {does: operates, wanted: 422},
	"PUT " + v0 + "/notifications/targets/:target":         {does: operates, wanted: 422, body: `{}`},
	"POST " + v0 + "/notifications/targets/:target/resume": {does: operates, wanted: 422},

	"GET " + v0 + "/signing-keys": {does: reads, wanted: 200},

	"PUT " + v0 + "/configurations/:adapterId":    {does: writes, wanted: 422, body: `[]`, makes: true},
	"GET " + v0 + "/configurations/:adapterId":    {does: reads, wanted: 404},
	"DELETE " + v0 + "/configurations/:adapterId": {does: writes, wanted: 404},

	"PUT " + norceConfiguration:    {does: writes, wanted: 422, body: `[]`, makes: true},
	"GET " + norceConfiguration:    {does: reads, wanted: 404},
	"DELETE " + norceConfiguration: {does: writes, wanted: 404},

	"GET /fbpi/v1/fbpi-order/:orderId/get":                  {does: reads, wanted: 404},
	"GET /fbpi/v1/fbpi-order/:orderId/customer-details/get": {does: reads, wanted: 404},

	"GET /api/v1/events":                 {does: reads, wanted: 200},
	"GET /api/v1/events/:eventId":        {does: reads, wanted: 404},
	"POST /api/v1/events/:eventId/retry": {does: retries, wanted: 404},
}

const norceConfiguration = "/api/v1/configuration/merchants/:merchant/channels/:channel/configurations/:adapterId"

func norcePath(merchant, channel, name string) string {
	return strings.NewReplacer(":merchant", merchant, ":channel", channel, ":adapterId", name).Replace(norceConfiguration)
}

// fill puts values into the parameters of a route.
func fill(route string, in map[string]string) (method, path string) {
	method, pattern, _ := strings.Cut(route, " ")
	for step := range strings.SplitSeq(pattern[1:], "/") {
		if name, isParam := strings.CutPrefix(step, ":"); isParam {
			step = in[name]
		}
		path += "/" + step
	}
	return method, strings.ReplaceAll(path, "*any", "x")
}

type caller struct {
	who, authorization string
	role               string // "" when it is nobody
}

var callers = []caller{
	{"nobody", "", ""},
	{"a wrong token", "Bearer wrong", ""},
	{"a token without its scheme", adapterToken, ""},
	{"a token under another scheme", "Digest " + adminToken, ""},
	{"an empty token", "Bearer ", ""},
	{"half a token", "Bearer " + adminToken[:7], ""},
	{"a token and more", "Bearer " + adminToken + " x", ""},
	{"adapter", "Bearer " + adapterToken, "adapter"},
	{"adapter, scheme in small letters", "bearer " + adapterToken, "adapter"},
	{"merchant", "Bearer " + readerToken, "merchant"},
	{"admin", "Bearer " + adminToken, "admin"},
}

// expected is the status, and the problem's code where the request does not pass.
func (r guardedRoute) expected(route string, who caller, merchant string) (status int, code string) {
	switch {
	case r.does == anyone:
		return r.wanted, ""
	case who.role == "":
		return 401, "unauthorized"
	case r.does == operates && who.role == "admin":
		return r.wanted, ""
	case r.does == operates, r.does == writes && who.role == "merchant":
		return 403, "role_forbidden"
	case merchant == "" && strings.Contains(route, "/fbpi/") && who.role != "admin":
		return r.wanted, "" // an FBPI receiver knows no such header, and the token speaks for one merchant
	case merchant == "":
		return 400, "merchant_missing"
	case merchant == "ac me":
		return 400, "merchant_invalid"
	case merchant == "globex" && who.role != "admin":
		return 403, "merchant_forbidden"
	}
	return r.wanted, ""
}

// Every route that the engine has, by every role, for every merchant.
func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d door) {
		for _, known := range d.handler.(*gin.Engine).Routes() {
			route := known.Method + " " + known.Path
			row, ok := guarded[route]
			if !ok {
				t.Errorf("%s has no row: who may do it?", route)
				continue
			}
			for _, who := range callers {
				for _, merchant := range []string{"acme", "globex", "", "ac me"} {
					d.holds(t, route, row, who, merchant)
				}
			}
		}
		if d.load(t, "none").Known() {
			t.Error("somebody wrote something")
		}
	})
}

func (d door) holds(t *testing.T, route string, row guardedRoute, who caller, merchant string) {
	t.Helper()
	header := merchant
	if strings.Contains(route, ":merchant") { // the path names it, and the header of the caller's own does not open it
		if header = "acme"; merchant == "" {
			return // no such path
		}
	}
	method, path := fill(route, map[string]string{"merchant": strings.ReplaceAll(merchant, " ", "%20"), "channel": "web",
		"orderId": "none", "id": "none", "eventId": "none", "deliveryId": "none", "adapterId": "none", "target": "none"})
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(row.body))
	r.Header.Set("X-Channel", "web")
	for name, value := range map[string]string{"Authorization": who.authorization, "X-Merchant": header} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	a := reply{w.Code, w.Header(), string(body)}
	status, code := row.expected(route, who, merchant)
	if a.status != status || code != "" && a.problem(t).Code != code {
		t.Errorf("%s %s by %s for %q: %d %.200s, want %d %s", method, path, who.who, merchant, a.status, a.body, status, code)
	}
	if challenged := a.header.Get("WWW-Authenticate") != ""; challenged != (a.status == 401) {
		t.Errorf("%s by %s: %d with WWW-Authenticate %q", route, who.who, a.status, a.header.Get("WWW-Authenticate"))
	}
}

// A token's hash is compared in constant time and in no other way. The time itself cannot be held by a test; the source can.
func TestTokensAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	constant := 0
	isHash := func(e ast.Expr) bool {
		if s, ok := e.(*ast.SliceExpr); ok {
			e = s.X
		}
		s, ok := e.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Hash"
	}
	inspect(t, "*.go", func(files *token.FileSet, n ast.Node) {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if slices.Contains([]token.Token{token.EQL, token.NEQ}, n.Op) && (isHash(n.X) || isHash(n.Y)) {
				t.Errorf("%s compares a hash byte by byte", files.Position(n.Pos()))
			}
		case *ast.CallExpr:
			name := ""
			if fn, ok := n.Fun.(*ast.SelectorExpr); ok {
				name = fmt.Sprint(fn.X, ".", fn.Sel)
			}
			switch {
			case !slices.ContainsFunc(n.Args, isHash):
			case name == "subtle.ConstantTimeCompare":
				constant++
			default:
				t.Errorf("%s: %s sees a hash", files.Position(n.Pos()), name)
			}
		}
	})
	if constant != 1 {
		t.Errorf("%d comparisons in constant time, want one", constant)
	}
}
