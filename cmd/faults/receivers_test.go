package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// closed is a connection that is closed under the answer.
type closed struct{ http.ResponseWriter }

func (closed) FlushError() error { return errors.New("closed") }

// An answer that nobody can have got is not taken for one: what is sent again after it would be a duplicate that nothing explains.
func TestAnAnswerOnAClosedConnectionIsNone(t *testing.T) {
	t.Parallel()
	history := &History{}
	rs, err := StartReceivers(history, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Close()
	for _, c := range []struct {
		over   http.ResponseWriter
		status int
	}{{httptest.NewRecorder(), http.StatusOK}, {closed{httptest.NewRecorder()}, 0}} {
		func() {
			defer func() {
				if aborted := recover() != nil; aborted != (c.status == 0) {
					t.Errorf("want %d, aborted %t", c.status, aborted)
				}
			}()
			rs.all[0].ServeHTTP(c.over, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("")))
		}()
		if told := history.arrivals[len(history.arrivals)-1].Status; told != c.status {
			t.Errorf("told %d, want %d", told, c.status)
		}
	}
}
