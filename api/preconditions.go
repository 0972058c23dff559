package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
)

// preconditions are what a write of an order asks of the order as it stands (RFC 9110 §13.1). They are looked at where it is
// committed, and so hold whoever else writes it.
type preconditions struct {
	ifMatch string // "" when not given
	absent  bool   // If-None-Match: *
}

func readPreconditions(c *gin.Context) (p preconditions, err error) {
	p.ifMatch = c.GetHeader("If-Match")
	if given := c.Request.Header["If-None-Match"]; len(given) > 0 {
		p.absent = true
		if tags := listOf(strings.Join(given, ",")); len(tags) != 1 || tags[0] != "*" {
			return p, problem(http.StatusBadRequest, "if_none_match_invalid",
				"A write takes no other If-None-Match than *, for what is not there yet; If-Match names the version that was seen.")
		}
	}
	return p, nil
}

// hold refuses a write that was meant for another version (§13.1.1), or for an order that is not there yet (§13.1.2).
func (p preconditions) hold(order dispatcher.Order) error {
	if tags := listOf(p.ifMatch); p.ifMatch != "" &&
		!(order.Exists() && (slices.Contains(tags, "*") || slices.Contains(tags, etag(order.Version)))) {
		return problem(http.StatusPreconditionFailed, "version_differs",
			fmt.Sprintf("The order is at version %d, which If-Match does not name.", order.Version))
	}
	if p.absent && order.Exists() {
		return problem(http.StatusPreconditionFailed, "order_exists",
			fmt.Sprintf("The order is there, at version %d, and If-None-Match asks for none.", order.Version))
	}
	return nil
}
