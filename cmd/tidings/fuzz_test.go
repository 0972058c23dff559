package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What YAML takes is told whole or checked whole; what is taken makes settings that can be used.
func FuzzConfigFile(f *testing.F) {
	hash := hashToken("t")
	for _, seed := range []string{"", "listen: 127.0.0.1:0\nrole: all\n", "tokens:\n  - {name: t, hash: \"" + hash + "\", merchants: [acme], role: adapter}\n",
		"lisen: x\n", "tokens: x\n", "concurrency: 1e3\n", "allow-target: [10.0.0.0/8, ::1]\ntrusted-proxy: [\"10.0.0.1\"]\n", "redis-url: redis://:pw@h/0\nsealing-key: x\n",
		"a: &a [*a]\n", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "\t", "---\n---\n", "? {}\n", "rate-limit: 5\nrate-burst: 0\nretention: 1h\nsweep: no\nlog-level: x\n", "\xff\xfe", "{"} {
		f.Add(seed)
	}
	names, path := serveFlagNames(f), filepath.Join(f.TempDir(), "tidings.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := readConfigFile(path)
		if err != nil {
			return
		}
		for _, name := range names {
			_ = file.value(name)
		}
		flags := serveFlags{Listen: "127.0.0.1:0", Role: "all", RedisURL: file.RedisURL, AllowTarget: file.AllowTarget, AllowPlainHTTP: "false",
			SealingKey: file.SealingKey, Retention: "168h", Concurrency: "1", Servers: "1", Sweep: "true", LogLevel: "info", LogFormat: "text",
			RateLimit: file.value("rate-limit"), RateBurst: file.value("rate-burst"), TrustedProxy: file.TrustedProxy}
		set, err := flags.check(file)
		if err != nil {
			return
		}
		if len(set.tokens) != len(file.Tokens) || set.rateLimit < 0 || set.rateBurst < 0 || (set.redis == nil) != (file.RedisURL == "") {
			t.Fatalf("%q makes %+v", text, set)
		}
		for _, token := range set.tokens {
			if token.Hash == [32]byte{} && !strings.Contains(text, strings.Repeat("0", 64)) || len(token.Merchants) == 0 || token.Role == "" {
				t.Fatalf("%q makes the token %+v", text, token)
			}
		}
		for _, p := range append(set.allowTargets, set.trustedProxies...) {
			if !p.IsValid() {
				t.Fatalf("%q makes a range that is none", text)
			}
		}
	})
}

// A URL that is taken names one kind of Redis; one that is refused is not repeated, for it may hold a password.
func FuzzRedisURL(f *testing.F) {
	for _, seed := range []string{"redis://127.0.0.1:6379/0", "rediss://user:s3cret-pw@h:1/2?read_timeout=1s", "unix:///run/redis.sock?db=1", "redis+cluster://a:1?addr=b:2",
		"redis+sentinel://h:1/?master_name=m", "redis://[::1]:x", "http://h", "", "redis://h/x", "rediss+cluster://h?dial_timeout=x", "rediss://user:s3cret-pw\xffh:1/2", "redis+sentinel://h:1", "unix://", "redis://%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		target, err := parseRedisURL(url)
		if err != nil {
			if _, usual := parseRedisURL(""); err.Error() != usual.Error() {
				t.Fatalf("%q is told: %v", url, err)
			}
			return
		}
		kinds := 0
		for _, there := range []bool{target.single != nil, target.cluster != nil, target.failover != nil} {
			if there {
				kinds++
			}
		}
		if kinds != 1 {
			t.Fatalf("%q is %+v", url, target)
		}
		if before, _, _ := strings.Cut(url, "?"); strings.Count(url, "s3cret-pw") > 1 || !strings.Contains(before, ":s3cret-pw") {
			return // it is elsewhere, where it is no password
		}
		if said := (redisClients{target: target}).describe(); strings.Contains(said, "s3cret-pw") {
			t.Fatalf("%q is described with its password: %s", url, said)
		}
	})
}
