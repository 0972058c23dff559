package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/store/embedded"
	"github.com/tidings/tidings/store/storetest"
)

// A secret is planted wherever one can be, deliveries end in every way, receivers tell back what they are told; and then
// none of them may be anywhere but where it was meant to go.
func TestPlantedSecrets(t *testing.T) {
	t.Parallel()
	s, key := newStage(t)
	r := newTattler(t, s.plain("receiver's cookie"))
	cases := plantedCases(r.URL, s.plants)
	seal := map[string]string{}
	registered := map[string]string{}
	for _, c := range cases {
		secret := sign.GenerateSecret()
		seal[c.name] = s.given(c.name+": signing secret", secret, strings.TrimPrefix(secret, "whsec_"))
		signing := fmt.Sprintf(`,"signing":{"scheme":"standard-webhooks","secret":%q}`, secret)
		text := s.call(201, "POST", "/orders/"+c.order+"/notifications", c.registration(signing), "Idempotency-Key", s.plain(c.name+": idempotency key"))
		var n struct{ ID string }
		_ = json.Unmarshal([]byte(text), &n)
		registered[c.name] = n.ID
	}
	s.others(r)
	s.merchantKey(t, key)
	s.refusals()
	s.configured(r)
	s.call(201, "PUT", "/orders/1", `{"state":{"currentStatus":"created"},"notifications":[],"callback_urls":[]}`)
	s.call(201, "PUT", "/orders/4", `{"payments":[1],"culture":"sv-SE","country":"SE","consents":[],"customer":{"type":"person","billing":{"firstName":"","lastName":""},"shipping":{},"attributes":{}}}`)
	first := s.firstEvents(cases)
	for _, c := range cases {
		if c.sent {
			c.arrived(t, r.got(c.name)[0], seal[c.name])
		} else if len(r.got(c.name)) > 0 {
			t.Errorf("%s: arrived", c.name)
		}
	}
	s.retried(r, cases[1], first["failing"], registered["failing"], seal["failing"])
	s.look(t)

	for _, secret := range s.all {
		s.find(secret)
	}
	// The search finds what it shall find: what may be read back is there, the clear text, the packed and the filed too.
	for _, c := range []struct{ name, text, place string }{
		{"what may be read back", cases[0].bare, "answer GET /orders/1/notifications"},
		{"in Redis", registered["failing"], "redis td{"}, {"in the log", first["failing"].DeliveryID, "log of the worker"},
		{"in the append-only file", first["failing"].DeliveryID, "file appendonly"}, {"in the dump", first["failing"].DeliveryID, "file dump.rdb"},
		{"in Asynqmon", first["slow"].DeliveryID, "answer GET /monitoring/api/queues/"}, {"packed", dictionaryWord, "redis td{"}, {"packed in files", dictionaryWord, "file appendonly"},
	} {
		if !hasPlace(s.find(secret{c.name, []string{c.text}, []string{""}}), c.place) {
			t.Errorf("the search does not find %s", c.name)
		}
	}
}

func hasPlace(places []string, begins string) bool {
	for _, p := range places {
		if strings.HasPrefix(p, begins) {
			return true
		}
	}
	return false
}

// others are secrets of other kinds: an ed25519 key, fatpay's, a Basic password, callback_urls, notifications in an order.
func (s *stage) others(r *tattler) {
	key, _ := sign.GenerateKeyV1a()
	s.given("ed25519 signing key", key, strings.TrimPrefix(key, "whsk_"))
	basic := s.plain("basic password")
	login := url.UserPassword("user", basic)
	encoded := encodeBasic(login)
	s.given("basic credentials", encoded)
	callback, inOrder := s.plain("query of a callback_url"), s.plain("header in an order's notifications")
	s.call(201, "POST", "/orders/2/notifications", fmt.Sprintf(`{"url":%q,"scope":{"state":["*"]},"reference":"v1a","signing":{"scheme":"standard-webhooks-v1a","secret":%q},"headers":{"Authorization":"Basic %s"}}`, r.URL+"/v1a", key, encoded))
	s.call(201, "POST", "/orders/2/notifications", fmt.Sprintf(`{"url":%q,"scope":{"state":["*"]},"reference":"fatpay","format":"fatpay","options":{"partnerId":"p1"}}`, r.URL+"/fatpay"))
	s.call(201, "PUT", "/orders/2", fmt.Sprintf(`{"state":{"currentStatus":"created"},"callback_urls":[%q],"notifications":[{"url":%q,"scope":{"state":["*"]},"reference":"inside","headers":{"X-Key":%q}}]}`,
		r.URL+"/callback?token="+callback, r.URL+"/inside", inOrder))
	s.api.events("orderId=2", 4)
	public, _ := sign.PublicKeyV1a(key)
	if got := r.got("v1a"); len(got) == 0 || got[0].header.Get("Authorization") != "Basic "+encoded || !sealedBy(got[0], public) {
		s.t.Errorf("v1a: %+v", got)
	}
	if got := r.got("callback"); len(got) == 0 || got[0].query.Get("token") != callback {
		s.t.Errorf("callback: %+v", got)
	}
	if got := r.got("inside"); len(got) == 0 || got[0].header.Get("X-Key") != inOrder {
		s.t.Errorf("inside: %+v", got)
	}
}

// retried sends again what failed: the registration written back as it was read keeps its secrets.
func (s *stage) retried(r *tattler, c plantedCase, event dispatcher.Event, id, seal string) {
	r.mend(c.name)
	s.call(202, "POST", "/notifications/events/"+event.ID+"/retry", "", "Idempotency-Key", s.plain("idempotency key of a retry"))
	s.api.events("reference="+c.name+"&outcome=delivered", 1)
	read := s.call(200, "GET", "/orders/1/notifications/"+id, "")
	s.call(200, "PUT", "/orders/1/notifications/"+id, read)
	s.call(200, "PATCH", "/orders/1", `{"state":{"currentStatus":"again"}}`)
	s.api.events("reference="+c.name+"&outcome=delivered", 2)
	all := r.got(c.name)
	c.arrived(s.t, all[len(all)-1], seal)
	again := c.registration("")
	s.call(201, "POST", "/orders/1/notifications", again, "Idempotency-Key", "twice")
	s.call(201, "POST", "/orders/1/notifications", again, "Idempotency-Key", "twice")
}

// look gathers everything that anybody could read.
func (s *stage) look(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/orders/1", "/orders/1/notifications", "/orders/2", "/notifications/events?limit=100", "/signing-keys", "/orders/none"} {
		s.ask(s.api, s.api.token, "GET", "/api/v0/checkout"+path, "")
	}
	for _, e := range s.api.events("limit=100", 10) {
		s.call(200, "GET", "/notifications/events/"+e.ID, "")
		s.call(200, "GET", "/notifications/deliveries/"+e.DeliveryID, "")
		s.ask(s.api, s.api.token, "GET", "/api/v1/events/"+e.ID, "")
	}
	s.ask(s.api, s.api.token, "GET", "/api/v1/events?limit=100&offset=0", "")
	for _, path := range []string{"/fbpi/v1/fbpi-order/1/get", "/fbpi/v1/fbpi-order/1/customer-details/get", "/health/ready", "/openapi.yaml"} {
		s.ask(s.api, s.api.token, "GET", path, "")
	}
	queue := "/monitoring/api/queues/deliveries"
	for _, path := range []string{"/metrics", "/monitoring/api/queues", queue, queue + "/pending_tasks", queue + "/active_tasks", queue + "/scheduled_tasks",
		queue + "/retry_tasks", queue + "/archived_tasks", queue + "/completed_tasks", "/monitoring/api/servers", "/monitoring/api/redis_info", "/monitoring/"} {
		if code, text := s.ask(s.api, s.admin, "GET", path+"?size=100", ""); code != 200 {
			t.Error(path, code, text)
		}
	}
	s.ask(s.worker, s.admin, "GET", "/metrics", "")
	for _, args := range [][]string{{"check"}, {"check", "--json"}, {"requeue"}, {"reseal"}, {"reseal", "--dry-run"}} {
		code, out, stderr := runFor(t, append(args, "--config", s.config)...)
		if s.add("told: "+strings.Join(args, " "), out+stderr); code != 0 {
			t.Error(args, code, out, stderr)
		}
	}
	s.keyspace(s.rdb)
	s.call(204, "DELETE", "/orders/2", "")
	if err := s.rdb.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if n := s.files(s.dir); n < 3 {
		t.Errorf("%d files of Redis", n)
	}
	for name, p := range map[string]*process{"api": s.api, "worker": s.worker} {
		p.stop()
		s.add("log of the "+name, p.stderr.String())
		s.add("output of the "+name, p.stdout.String())
	}
}

// With our own Redis the development token is printed, once for a person and once in a curl; and is nowhere else.
func TestPlantedDevelopmentToken(t *testing.T) {
	t.Parallel()
	storetest.Private(t) // skips where there is no redis-server
	dir, p := t.TempDir(), &plants{}
	token := p.plain("development token", "output")
	served := start(t, "--data-dir", dir, "--dev-token", token, "--log-level", "debug")
	served.token = token
	r := newTarget(t, 503)
	served.register("1", r.URL)
	served.owed("1", "s1")
	served.events("orderId=1", 1)
	h := newHaystack(t)
	socket, err := embedded.Running(dir)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	defer rdb.Close()
	h.keyspace(rdb)
	served.stop()
	h.add("log", served.stderr.String())
	h.add("output", served.stdout.String())
	if n := h.files(filepath.Clean(dir)); n < 3 {
		t.Errorf("%d files", n)
	}
	if found := h.find(p.all[0]); len(found) == 0 || strings.Count(served.stdout.String(), token) != 2 {
		t.Errorf("found in %v", found)
	}
}
