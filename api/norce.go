package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// Norce's OpenAPI spells the same Events in another way: /api/v1, underscores in filters, createdAt, always by offset.

type norceEvent struct {
	dispatcher.Event
	CreatedAt string `json:"createdAt"` // RFC 3339 with microseconds
}

func viewNorceEvent(e dispatcher.Event) norceEvent {
	return norceEvent{e, e.Timestamp.UTC().Format("2006-01-02T15:04:05.000000Z07:00")}
}

var norceFilters = map[string]string{
	"order_id": "orderId", "adapter_id": "adapterId", "reference": "reference", "channel": "channel",
	"offset": "offset", "limit": "limit",
}

func (s *Server) listNorceEvents(c *gin.Context) {
	query, err := queryOf(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	values := url.Values{"offset": {"0"}}
	var faults scope.Faults
	for _, name := range slices.Sorted(maps.Keys(query)) {
		ours, ok := norceFilters[name]
		if !ok {
			faults = append(faults, scope.Fault{Pointer: "/" + name, Detail: "unknown parameter"})
			continue
		}
		values[ours] = query[name]
	}
	q, more := readEventQuery(merchantOf(c), values)
	for _, f := range more {
		for theirs, ours := range norceFilters {
			if f.Pointer == "/"+ours {
				f.Pointer = "/" + theirs
				break
			}
		}
		faults = append(faults, f)
	}
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	entries, total, err := s.store.CountEvents(c.Request.Context(), q.Query, q.offset)
	if err != nil {
		s.fail(c, err)
		return
	}
	data := make([]norceEvent, 0, len(entries))
	for _, e := range viewEvents(entries) {
		data = append(data, viewNorceEvent(e))
	}
	c.PureJSON(http.StatusOK, gin.H{"data": data, "pagination": offsetPagination{q.offset, q.Limit, len(data), total}})
}

func (s *Server) getNorceEvent(c *gin.Context) {
	held, attempt, err := s.store.Event(c.Request.Context(), merchantOf(c), c.Param("eventId"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.PureJSON(http.StatusOK, viewNorceEvent(dispatcher.NewEvent(held.Delivery, attempt)))
}
