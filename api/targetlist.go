package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
	"github.com/tidings/tidings/store"
)

type targetsPage struct {
	Data       []targetView     `json:"data"`
	Pagination offsetPagination `json:"pagination"`
}

func (s *Server) listTargets(c *gin.Context) {
	limit, offset, state, faults := readTargetQuery(c)
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	all, err := s.store.Targets(c.Request.Context())
	if err != nil {
		s.fail(c, err)
		return
	}
	if state != "" {
		all = slices.DeleteFunc(all, func(t store.Target) bool { return t.Gate.State != state })
	}
	// Trouble first: what is parked most, then what is not closed.
	slices.SortStableFunc(all, func(a, b store.Target) int {
		if a.Crowd.Parked != b.Crowd.Parked {
			return int(min(max(b.Crowd.Parked-a.Crowd.Parked, -1), 1))
		}
		return troubled(b) - troubled(a)
	})
	page := targetsPage{Data: []targetView{}, Pagination: offsetPagination{Offset: offset, Limit: limit, TotalSize: int64(len(all))}}
	for _, t := range all[min(offset, len(all)):min(offset+limit, len(all))] {
		page.Data = append(page.Data, viewOfTarget(t))
	}
	page.Pagination.Size = len(page.Data)
	c.PureJSON(http.StatusOK, page)
}

func troubled(t store.Target) int {
	if t.Gate.State == dispatcher.GateClosed {
		return 0
	}
	return 1
}

func readTargetQuery(c *gin.Context) (limit, offset int, state dispatcher.GateState, faults scope.Faults) {
	values, err := queryOf(c)
	if err != nil {
		return 0, 0, "", scope.Faults{{Pointer: "/", Detail: "the query cannot be read"}}
	}
	limit = defaultTargets
	for name, all := range values {
		value := all[len(all)-1]
		n, err := strconv.Atoi(value)
		switch {
		case name == "limit" && err == nil && n >= 1 && n <= maxTargets:
			limit = n
		case name == "offset" && err == nil && n >= 0 && n <= maxOffset:
			offset = n
		case name == "state" && slices.Contains(gateStates, dispatcher.GateState(value)):
			state = dispatcher.GateState(value)
		case name == "limit":
			faults = append(faults, scope.Fault{Pointer: "/limit", Detail: "expected a whole number from 1 to 1000"})
		case name == "offset":
			faults = append(faults, scope.Fault{Pointer: "/offset", Detail: "expected a whole number from 0 to 10000"})
		case name == "state":
			faults = append(faults, scope.Fault{Pointer: "/state", Detail: "expected one of: closed, busy, open, recovering"})
		default:
			faults = append(faults, scope.Fault{Pointer: "/" + name, Detail: "unknown parameter"})
		}
	}
	return limit, offset, state, faults
}

var gateStates = []dispatcher.GateState{
	dispatcher.GateClosed, dispatcher.GateBusy, dispatcher.GateOpen, dispatcher.GateRecovering,
}
