package api

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

// configurationAddress is where a configuration lies: the channel comes from the header, or from Norce's path.
type configurationAddress struct {
	merchant, channel, adapterID string
}

func readConfigurationAddress(c *gin.Context) (configurationAddress, scope.Faults) {
	a := configurationAddress{merchantOf(c), c.Param("channel"), c.Param("adapterId")}
	if a.channel == "" {
		a.channel = c.GetHeader("X-Channel")
	}
	var faults scope.Faults
	if !merchantIDShape.MatchString(a.channel) {
		faults = append(faults, scope.Fault{Detail: "channel (header X-Channel, or in the path): expected 1 to 64 characters of A-Z a-z 0-9 . _ -"})
	}
	if !adapterIDShape.MatchString(a.adapterID) {
		faults = append(faults, scope.Fault{Detail: "adapter id: expected 1 to 128 characters of A-Z a-z 0-9 . _ : -"})
	}
	return a, faults
}

func (s *Server) putConfiguration(c *gin.Context) {
	a, faults := readConfigurationAddress(c)
	body, err := readJSON(c.Request)
	if err != nil {
		s.fail(c, err)
		return
	}
	configuration, more := s.readConfiguration(a.adapterID, body)
	if faults = append(faults, more...); len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	created, err := s.store.PutConfiguration(c.Request.Context(), a.merchant, a.channel, configuration)
	if err != nil {
		s.fail(c, err)
		return
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	c.Data(status, "application/json", viewConfiguration(configuration).JSON())
}

// readConfiguration reads free JSON with two members of our own: active, and notifications.
func (s *Server) readConfiguration(adapterID string, body scope.Value) (dispatcher.Configuration, scope.Faults) {
	configuration := dispatcher.Configuration{AdapterID: adapterID, Active: true}
	if body.Kind() != scope.KindObject {
		return configuration, scope.Faults{{Detail: "expected object, got " + body.Kind().String()}}
	}
	var faults scope.Faults
	if active := body.Member("active"); !active.IsAbsent() {
		var ok bool
		if configuration.Active, ok = active.Bool(); !ok {
			faults = append(faults, scope.Fault{Pointer: "/active", Detail: "expected boolean, got " + active.Kind().String()})
		}
	}
	list := body.Member("notifications")
	if k := list.Kind(); k != scope.KindArray && k != scope.KindAbsent && k != scope.KindNull {
		faults = append(faults, scope.Fault{Pointer: "/notifications", Detail: "expected array, got " + k.String()})
	}
	at, _ := scope.ParsePointer("/notifications")
	for i, item := range list.Items() {
		n, found := s.readNotification(item, at.Child(strconv.Itoa(i)))
		if n.AdapterID == "" {
			n.AdapterID = adapterID
		}
		_, redacted := renew(n, dispatcher.Notification{}, at.Child(strconv.Itoa(i)))
		faults = append(append(faults, found...), redacted...)
		configuration.Notifications = append(configuration.Notifications, n)
	}
	configuration.Document = body.Without("active", "notifications")
	return configuration, faults
}

func (s *Server) getConfiguration(c *gin.Context) {
	a, faults := readConfigurationAddress(c)
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	configuration, err := s.store.Configuration(c.Request.Context(), a.merchant, a.channel, a.adapterID)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Data(http.StatusOK, "application/json", viewConfiguration(configuration).JSON())
}

func (s *Server) deleteConfiguration(c *gin.Context) {
	a, faults := readConfigurationAddress(c)
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	if err := s.store.DeleteConfiguration(c.Request.Context(), a.merchant, a.channel, a.adapterID); err != nil {
		s.fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// viewConfiguration is the free JSON as written, with the notifications as they are read back.
func viewConfiguration(configuration dispatcher.Configuration) scope.Value {
	items := make([]scope.Value, 0, len(configuration.Notifications))
	for _, n := range configuration.Notifications {
		items = append(items, viewNotification(n).value())
	}
	return configuration.Document.With("active", scope.Bool(configuration.Active)).With("notifications", scope.Array(items...))
}
