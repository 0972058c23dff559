package dispatcher_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

func TestRotatedSecretsSignUntilTheirTime(t *testing.T) {
	t.Parallel()
	n := dispatcher.Notification{Secrets: secrets("a")}
	rotate := func(fresh dispatcher.Secret, overlap time.Duration, now time.Time) {
		t.Helper()
		var err error
		if n, err = n.Rotate(dispatcher.SigningSecret{Secret: fresh}, now.Add(overlap), now); err != nil {
			t.Fatal(err)
		}
	}
	rotate("b", 2*time.Hour, noon)
	rotate("c", time.Hour, noon)
	for _, row := range []struct {
		after time.Duration
		want  []string
	}{
		{0, []string{"c", "b", "a"}},
		{time.Hour - 1, []string{"c", "b", "a"}},
		{time.Hour, []string{"c", "a"}}, // until is when it signs no more
		{2 * time.Hour, []string{"c"}},
		{1000 * time.Hour, []string{"c"}}, // the current one has no end
	} {
		if got := n.SecretsAt(noon.Add(row.after)); !slices.Equal(got, row.want) {
			t.Errorf("after %s: %v, want %v", row.after, got, row.want)
		}
	}
	rotate("d", 0, noon) // no overlap: the one before is done at once, and yet known
	if got := n.SecretsAt(noon); got[0] != "d" || slices.Contains(got, "c") || !n.KnowsSecret("c") {
		t.Errorf("without an overlap %v", got)
	}
	rotate("a", time.Hour, noon) // an older one comes back and stands in the list once
	if got := n.SecretsAt(noon); !slices.Equal(got, []string{"a", "d", "b"}) {
		t.Errorf("with an older one %v", got)
	}
}

func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	n := dispatcher.Notification{Secrets: secrets("s0")}
	if _, err := n.Rotate(dispatcher.SigningSecret{Secret: "s0"}, noon, noon); !errors.Is(err, dispatcher.ErrSameSecret) {
		t.Errorf("the same: %v", err)
	}
	for i := 1; i < dispatcher.MaxSigningSecrets; i++ {
		var err error
		if n, err = n.Rotate(dispatcher.SigningSecret{Secret: dispatcher.Secret(fmt.Sprint("s", i))}, noon.Add(time.Hour), noon); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.Rotate(dispatcher.SigningSecret{Secret: "more"}, noon.Add(time.Hour), noon); !errors.Is(err, dispatcher.ErrTooManySecrets) {
		t.Errorf("one too many: %v", err)
	}
	// When the older ones are done there is room again, and the oldest is forgotten.
	later := noon.Add(time.Hour)
	n, err := n.Rotate(dispatcher.SigningSecret{Secret: "more"}, later.Add(time.Hour), later)
	if err != nil || len(n.Secrets) != dispatcher.MaxSigningSecrets || n.KnowsSecret("s0") || !n.KnowsSecret("s1") || len(n.SecretsAt(later)) != 2 {
		t.Errorf("%d kept, %v sign, %v", len(n.Secrets), n.SecretsAt(later), err)
	}
}

// A registration that is sent again says nothing of the secret, or the one that it first came with: it is the same.
func TestRotationIsNoNewContent(t *testing.T) {
	t.Parallel()
	registered := full(t)
	registered.Secrets = secrets("whsec_new", "whsec_s3cret")
	for _, row := range []struct {
		sent []dispatcher.SigningSecret
		same bool
	}{
		{nil, true}, {secrets("whsec_new"), true}, {secrets("whsec_s3cret"), true}, {secrets("whsec_other"), false},
	} {
		n := full(t)
		n.Secrets = row.sent
		if n.SameContent(registered) != row.same {
			t.Errorf("with %d secrets: same = %t", len(row.sent), !row.same)
		}
	}
	plain := full(t)
	plain.Secrets = nil
	if full(t).SameContent(plain) {
		t.Error("a secret of its own is something new where there was none")
	}
}
