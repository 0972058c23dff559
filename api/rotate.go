package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/dispatcher/sign"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

const (
	defaultOverlap = 24 * time.Hour
	maxOverlap     = 7 * 24 * time.Hour
)

type rotateRequest struct {
	Secret  string               `json:"secret"`
	Overlap *dispatcher.Duration `json:"overlap"`
}

type rotateAnswer struct {
	ID            string      `json:"id"`
	Signing       signingView `json:"signing"`
	PreviousUntil time.Time   `json:"previousUntil"` // until then the secret before signs beside the new one
}

// rotateSecret puts another secret in the place of a notification's, which goes on signing for a while, so that the
// receiver can change its own meanwhile.
func (s *Server) rotateSecret(c *gin.Context) {
	ref, in, err := s.readRotate(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	mark := s.markOf(c, in.Secret+" "+in.Overlap.String())
	var answer rotateAnswer
	err = s.producer.Commit(c.Request.Context(), ref, func(state store.State) (*store.Commit, error) {
		n, ok := state.Notification(c.Param("id"))
		if !ok {
			return nil, missingNotification(c.Param("id"))
		}
		if err := rotatable(n, in.Secret); err != nil {
			return nil, err
		}
		if mark != "" && n.Secrets[0].Mark == mark && len(n.Secrets) > 1 { // done, and its answer was lost
			answer, err = answerRotation(n, in.Secret == "")
			return nil, err
		}
		now := s.now()
		until := now.Add(in.Overlap.D()).UTC().Truncate(time.Millisecond)
		n, err := n.Rotate(freshSecret(n, in.Secret, mark), until, now)
		switch {
		case errors.Is(err, dispatcher.ErrSameSecret):
			return nil, fault("/secret", "is the current secret already")
		case errors.Is(err, dispatcher.ErrTooManySecrets):
			return nil, problem(http.StatusConflict, "too_many_secrets", fmt.Sprintf(
				"At most %d secrets sign at the same time; wait until an older one is done, or give a shorter overlap.", dispatcher.MaxSigningSecrets))
		case err != nil:
			return nil, err
		}
		if err := fit(store.MergeNotifications(state.Notifications, []dispatcher.Notification{n}), ""); err != nil {
			return nil, err
		}
		answer, err = answerRotation(n, in.Secret == "")
		return &store.Commit{Put: []dispatcher.Notification{n}}, err
	})
	if err != nil {
		s.fail(c, err)
		return
	}
	c.PureJSON(http.StatusOK, answer)
}

func (s *Server) readRotate(c *gin.Context) (dispatcher.OrderRef, rotateRequest, error) {
	ref, faults := s.orderRef(c)
	overlap := dispatcher.Duration(defaultOverlap)
	var in rotateRequest
	text, err := readBody(c.Request)
	if err == nil && len(text) > 0 { // no body means the defaults
		var body scope.Value
		if body, err = parseJSON(text); err == nil {
			faults = append(faults, bind(body, &in, scope.Pointer{})...)
		}
	}
	if err != nil {
		return ref, in, err
	}
	if in.Overlap == nil {
		in.Overlap = &overlap
	} else if *in.Overlap < 0 || in.Overlap.D() > maxOverlap {
		faults = append(faults, scope.Fault{Pointer: "/overlap", Detail: fmt.Sprintf("expected a duration from 0s to %s", dispatcher.Duration(maxOverlap))})
	}
	switch err := sign.CheckHTTPMessageKey(in.Secret); { // which takes what any other scheme does
	case in.Secret == "":
	case in.Secret == dispatcher.Redacted:
		faults = append(faults, scope.Fault{Pointer: "/secret", Detail: "stands for the current secret; expected another, or none to have one generated"})
	case err != nil:
		faults = append(faults, scope.Fault{Pointer: "/secret", Detail: err.Error()})
	}
	if len(faults) > 0 {
		return ref, in, invalid(faults)
	}
	return ref, in, nil
}

// rotatable refuses a notification that has no secret of its own, and a secret that its scheme cannot sign with.
func rotatable(n dispatcher.Notification, given string) error {
	why := ""
	switch scheme := n.Scheme(); {
	case scheme == dispatcher.SigningFaTPay:
		why = "The format fatpay is sealed with the merchant's RSA key, which is no secret of this notification."
	case scheme == "":
		why = "The notification is not signed; PUT it with signing to begin."
	case len(n.Secrets) == 0:
		why = "The notification is signed with the merchant's ed25519 key; PUT it with a secret to sign with a key of its own."
	}
	if why != "" {
		return problem(http.StatusConflict, "not_rotatable", why)
	}
	if given == "" {
		return nil
	}
	if err := keyChecks[n.Signing](given); err != nil {
		return fault("/secret", err.Error())
	}
	return nil
}

// freshSecret is the one that was given, or a generated one of the notification's scheme.
func freshSecret(n dispatcher.Notification, given, mark string) dispatcher.SigningSecret {
	if given == "" {
		if given = sign.GenerateSecret(); n.HasKeyPair() {
			given, _ = sign.GenerateKeyV1a()
		}
	}
	return dispatcher.SigningSecret{Secret: dispatcher.Secret(given), Mark: mark}
}

// answerRotation tells a rotated notification. Of a key pair only the public half is told: nobody else needs the other.
func answerRotation(n dispatcher.Notification, generated bool) (rotateAnswer, error) {
	view, err := viewSigning(n, nil)
	if err != nil {
		return rotateAnswer{}, err
	}
	if view.Secret = ""; generated && !n.HasKeyPair() {
		view.Secret = n.CurrentSecret().Reveal()
	}
	return rotateAnswer{ID: n.ID, Signing: *view, PreviousUntil: n.Secrets[1].Until}, nil
}
