package main

import (
	"strings"
	"testing"
	"time"
)

func TestMerchantsOfTheFile(t *testing.T) {
	t.Parallel()
	file, err := readConfigFile(write(t, "merchants:\n  - {name: acme, retention: 720h}\n  - {name: other, retention: 1m}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, faults := checkMerchants(file.Merchants)
	if len(faults) > 0 || len(got) != 2 || got["acme"] != 720*time.Hour || got["other"] != time.Minute {
		t.Errorf("%v %v", got, faults)
	}
	config := write(t, `retention: 1s
merchants:
  - {name: acme, retention: 720h}
  - {name: acme, retention: 1h}
  - {name: "*", retention: 59s}
  - {name: a b, retention: 3 weeks}
  - {retention: 1h}
  - {name: none}
`)
	code, _, stderr := runFor(t, "serve", "--config", config)
	for _, part := range []string{"--retention", "merchants[1].name: \"acme\" is there already", "merchants[2].name: \"*\"", "merchants[2].retention: \"59s\"",
		"merchants[3].name: \"a b\"", "merchants[3].retention: \"3 weeks\"", "merchants[4].name: \"\"", "merchants[5].retention: \"\""} {
		if !strings.Contains(stderr, part) {
			t.Errorf("%s is not told in:\n%s", part, stderr)
		}
	}
	if code != 2 || strings.Contains(stderr, "merchants[0]") {
		t.Errorf("%d %s", code, stderr)
	}
}
