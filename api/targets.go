package api

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

// Targets are shared by all merchants: they are for operators, and need an admin token and no X-Merchant.

// targetView is how deliveries pass to one target, and how it fares.
type targetView struct {
	Target         string                `json:"target"`
	State          dispatcher.GateState  `json:"state"`
	Reason         dispatcher.ParkReason `json:"reason,omitempty"` // why it is not closed
	Fault          dispatcher.Reason     `json:"fault,omitempty"`  // what opened it last
	Since          *time.Time            `json:"since,omitempty"`
	ProbeAt        *time.Time            `json:"probeAt,omitempty"`
	InFlight       int                   `json:"inFlight"`
	Parked         int64                 `json:"parked"`
	OldestParkedAt *time.Time            `json:"oldestParkedAt,omitempty"`
	MaxInFlight    int                   `json:"maxInFlight,omitempty"`
	RatePerSecond  float64               `json:"ratePerSecond,omitempty"`
	LastAttempt    *store.LastAttempt    `json:"lastAttempt,omitempty"`
	Recent         recentView            `json:"recent"`
}

// recentView is what the attempts of the last ten minutes told.
type recentView struct {
	Attempts    int64    `json:"attempts"`
	SuccessRate *float64 `json:"successRate,omitempty"` // of 1; absent without attempts
	P50Ms       int64    `json:"p50Ms,omitempty"`       // bounds, to a power of two
	P95Ms       int64    `json:"p95Ms,omitempty"`
}

const (
	defaultTargets = 100
	maxTargets     = 1000
)

func (s *Server) getTarget(c *gin.Context) {
	name, err := targetOf(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.answerTarget(c, name)
}

// answerTarget tells of one target. One of which nothing is known is well: nothing is parked, and deliveries pass.
func (s *Server) answerTarget(c *gin.Context, name string) {
	all, err := s.store.Targets(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	for _, t := range all {
		if t.Name == name {
			c.PureJSON(http.StatusOK, viewOfTarget(t))
			return
		}
	}
	c.PureJSON(http.StatusOK, viewOfTarget(store.Target{Name: name, Gate: dispatcher.Gate{State: dispatcher.GateClosed}}))
}

type targetInput struct {
	MaxInFlight   *int        `json:"maxInFlight" validate:"omitempty,min=1,max=1000"`
	RatePerSecond scope.Value `json:"ratePerSecond"`
}

// putTarget sets the limits of a target that needs protection; a limit that is left out is taken away.
func (s *Server) putTarget(c *gin.Context) {
	name, err := targetOf(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	body, err := readJSON(c.Request)
	if err != nil {
		s.fail(c, err)
		return
	}
	var in targetInput
	faults := bind(body, &in, scope.Pointer{})
	if body.Kind() == scope.KindObject {
		faults = append(faults, check(in, scope.Pointer{})...)
	}
	rate, more := readRate(in.RatePerSecond)
	if faults = append(faults, more...); len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	most := 0
	if in.MaxInFlight != nil {
		most = *in.MaxInFlight
	}
	s.changeTarget(c, name, func(g dispatcher.Gate) dispatcher.Gate { return g.Limit(most, rate, s.now()) })
}

func readRate(v scope.Value) (float64, scope.Faults) {
	if v.Kind() == scope.KindAbsent || v.Kind() == scope.KindNull {
		return 0, nil
	}
	text, ok := v.Number()
	rate, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || math.IsNaN(rate) || rate < dispatcher.MinTargetRate || rate > dispatcher.MaxTargetRate {
		return 0, scope.Faults{{Pointer: "/ratePerSecond", Detail: "expected a number from 0.01 to 10000"}}
	}
	return rate, nil
}

// resumeTarget lets deliveries out again without waiting for a probe: an operator knows that the target is well.
func (s *Server) resumeTarget(c *gin.Context) {
	name, err := targetOf(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.changeTarget(c, name, dispatcher.Gate.Recover)
}

func (s *Server) changeTarget(c *gin.Context, name string, change func(dispatcher.Gate) dispatcher.Gate) {
	gate, err := s.store.ChangeGate(c.Request.Context(), name, change)
	if err != nil {
		s.fail(c, err)
		return
	}
	s.log.InfoContext(c.Request.Context(), "target.changed", "target", name, "state", string(gate.State),
		"maxInFlight", gate.MaxInFlight, "ratePerSecond", gate.RatePerSecond)
	s.answerTarget(c, name)
}

// targetOf reads the target in the path: scheme://host:port, percent-encoded; the port may be left out.
func targetOf(c *gin.Context) (string, error) {
	name, err := dispatcher.ParseTarget(c.Param("target"))
	if err != nil {
		return "", fault("/target", err.Error())
	}
	return name, nil
}

func viewOfTarget(t store.Target) targetView {
	v := targetView{
		Target: t.Name, State: t.Gate.State, Reason: t.Gate.Reason, Fault: t.Gate.Fault, Since: moment(t.Gate.Since),
		ProbeAt: moment(t.Gate.ProbeAt), InFlight: t.InFlight, Parked: t.Crowd.Parked, OldestParkedAt: moment(t.OldestParked),
		MaxInFlight: t.Gate.MaxInFlight, RatePerSecond: t.Gate.RatePerSecond, Recent: recentView{Attempts: t.Stats.Attempts()},
	}
	if n := t.Stats.Attempts(); n > 0 {
		rate := math.Round(float64(t.Stats.Delivered)/float64(n)*10_000) / 10_000
		v.Recent.SuccessRate = &rate
		v.Recent.P50Ms, v.Recent.P95Ms = t.Stats.Quantile(0.5).Milliseconds(), t.Stats.Quantile(0.95).Milliseconds()
	}
	if !t.Stats.Last.At.IsZero() {
		last := t.Stats.Last
		v.LastAttempt = &last
	}
	return v
}
