package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/storetest"
)

// plants makes secrets, and remembers them.
type plants struct {
	all   []secret
	admin string
}

// core is the part of a secret that is looked for: no spelling but base64 and hex changes it.
func core() string { return "pl4nted" + hex.EncodeToString(store.NewSealingKey()[:12]) }

// text plants a secret with characters around it that every spelling writes in another way.
func (p *plants) text(name string, allowed ...string) string {
	c := core()
	p.all = append(p.all, secret{name, []string{c}, allowed})
	return `a"<` + c + `>&+/=%~`
}

// plain plants one of letters and digits.
func (p *plants) plain(name string, allowed ...string) string {
	c := core()
	p.all = append(p.all, secret{name, []string{c}, allowed})
	return c
}

// given remembers a secret that was made elsewhere.
func (p *plants) given(name, text string, needles ...string) string {
	p.all = append(p.all, secret{name: name, needles: append([]string{text}, needles...)})
	return text
}

// plantedCase is one notification with secrets of its own, and how its first delivery ends.
type plantedCase struct {
	name, url, more string
	order           string // "" for 1
	reason          dispatcher.Reason
	sent            bool
	key, token      string
	bare, bearer    string
}

// readBack are the answers in which a URL may be read by whom registered it.
var readBack = []string{"answer GET /orders/1/notifications", "answer POST /orders/1/notifications", "answer PUT /orders/1/notifications/",
	"answer POST /orders/4/notifications"}

const unreachable = "https://127.0.0.1:1/"

func plantedCases(base string, p *plants) []plantedCase {
	plainTLS := strings.Replace(base, "http://", "https://", 1)
	cases := []plantedCase{
		{name: "delivered", sent: true},
		{name: "failing", reason: dispatcher.ReasonStatus5xx, sent: true},
		{name: "refused", reason: dispatcher.ReasonStatus4xx, sent: true},
		{name: "redirect", reason: dispatcher.ReasonRedirect, sent: true},
		{name: "stopped", reason: dispatcher.ReasonGone, sent: true},
		{name: "slow", reason: dispatcher.ReasonTimeout, sent: true, more: `,"timeout":"1s"`},
		{name: "reset", reason: dispatcher.ReasonReset, sent: true},
		{name: "closed", url: unreachable + "closed", reason: dispatcher.ReasonConnect},
		{name: "tls", url: plainTLS + "/tls", reason: dispatcher.ReasonTLS},
		{name: "nowhere", url: "https://nowhere.invalid/nowhere", reason: dispatcher.ReasonDNS},
		{name: "unresolved", url: base + "/unresolved/{order.nothing}", reason: dispatcher.ReasonUnresolved},
		{name: "unrenderable", order: "4", more: `,"format":"probo"`, reason: dispatcher.ReasonUnrenderable},
		{name: "cloudevents", more: `,"format":"cloudevents"`, sent: true},
	}
	for i := range cases {
		c := &cases[i]
		c.key, c.token = p.text(c.name+": header value"), p.text(c.name+": query value", readBack...)
		c.bare, c.bearer = p.plain(c.name+": bare token", readBack...), p.plain(c.name+": bearer")
		if c.order == "" {
			c.order = "1"
		}
		if c.url == "" {
			c.url = base + "/" + c.name
		}
		c.url += "?token=" + url.QueryEscape(c.token) + "&" + c.bare
	}
	return cases
}

func (c plantedCase) registration(signing string) string {
	headers, _ := json.Marshal(map[string]string{"X-Key": c.key, "Authorization": "Bearer " + c.bearer})
	return fmt.Sprintf(`{"url":%q,"headers":%s,"reference":%q,"scope":{"state":["*"],"payment":true}%s%s}`, c.url, headers, c.name, signing, c.more)
}

// arrived holds the request to bring what it shall bring: what was never planted is never found.
func (c plantedCase) arrived(t *testing.T, r received, seal string) {
	t.Helper()
	if r.header.Get("X-Key") != c.key || r.header.Get("Authorization") != "Bearer "+c.bearer || r.query.Get("token") != c.token || !strings.HasSuffix(r.uri, "&"+c.bare) {
		t.Errorf("%s: arrived as %s %v", c.name, r.uri, r.header)
	}
	if err := sign.VerifyStandardWebhooks(r.header, r.body, time.Now(), time.Minute, seal); err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
}

// stage is a Tidings of two processes, with all that was said to it and by it.
type stage struct {
	*plants
	*haystack
	api, worker *process
	rdb         *redis.Client
	config, dir string
}

// newStage returns the sealing key, too.
func newStage(t *testing.T) (s *stage, key []byte) {
	t.Helper()
	server := storetest.Private(t)
	s = &stage{plants: &plants{}, haystack: newHaystack(t)}
	password := s.plain("password of Redis")
	socket := server.Options().Addrs[0]
	open := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	defer open.Close()
	for name, value := range map[string]string{"requirepass": password, "rdbcompression": "no"} {
		if err := open.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s.rdb = redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Password: password})
	t.Cleanup(func() { _ = s.rdb.Close() })
	key = store.NewSealingKey()
	s.given("sealing key", base64.StdEncoding.EncodeToString(key), string(key))
	old := store.NewSealingKey()
	s.given("older sealing key", base64.StdEncoding.EncodeToString(old), string(old))
	admin, adapter := s.plain("admin token"), s.plain("adapter token")
	s.config = write(t, fmt.Sprintf("redis-url: unix://:%s@%s\nsealing-key: [%s, %s]\nallow-target: [127.0.0.0/8]\nlog-level: debug\n"+
		"tokens:\n  - {name: admin, hash: %q, merchants: [acme], role: admin}\n  - {name: adapter, hash: %q, merchants: [acme], role: adapter}\n",
		password, socket, base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(old), hashToken(admin), hashToken(adapter)))
	s.api = startUnready(t, "--config", s.config, "--role", "api", "--log-format", "json")
	s.worker = startUnready(t, "--config", s.config, "--role", "worker", "--log-format", "text")
	s.api.token, s.worker.token = adapter, admin
	s.admin = admin
	s.dir = server.Config().DataDir
	return s, key
}
