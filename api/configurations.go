package api

import (
	"fmt"
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
	if !merchantIDShape.matches(a.channel) {
		faults = append(faults, scope.Fault{Detail: "channel (header X-Channel, or in the path): expected 1 to 64 characters of A-Z a-z 0-9 . _ -"})
	}
	if !adapterIDShape.matches(a.adapterID) {
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
	if len(faults) > 0 {
		s.fail(c, invalid(faults))
		return
	}
	others, err := s.store.Configurations(c.Request.Context(), a.merchant, a.channel)
	if err != nil {
		s.fail(c, err)
		return
	}
	configuration, faults := s.readConfiguration(a.adapterID, body, others)
	if len(faults) > 0 {
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
	s.answerConfiguration(c, status, configuration)
}

// maxConfigured bounds what the configurations of a channel add to every new order, so that enough of
// dispatcher.MaxNotifications is left for the order's own.
const maxConfigured = dispatcher.MaxNotifications / 2

// readConfiguration reads free JSON with two members of our own: active, and notifications. others are all
// configurations of the channel as they stand; redacted secrets stand for those in the one that is replaced.
func (s *Server) readConfiguration(adapterID string, body scope.Value, others []dispatcher.Configuration) (dispatcher.Configuration, scope.Faults) {
	configuration := dispatcher.Configuration{AdapterID: adapterID, Active: true}
	if body.Kind() != scope.KindObject {
		return configuration, scope.Faults{{Detail: "expected object, got " + body.Kind().String()}}
	}
	var faults scope.Faults
	var old dispatcher.Configuration
	total := 0
	for _, other := range others {
		if other.AdapterID == adapterID {
			old = other
		} else {
			total += len(other.Notifications)
		}
	}
	if active := body.Member("active"); active.Kind() != scope.KindAbsent && active.Kind() != scope.KindNull {
		var ok bool
		if configuration.Active, ok = active.Bool(); !ok {
			faults = append(faults, scope.Fault{Pointer: "/active", Detail: "expected boolean, got " + active.Kind().String()})
		}
	}
	list := body.Member("notifications")
	if k := list.Kind(); k != scope.KindArray && k != scope.KindAbsent && k != scope.KindNull {
		faults = append(faults, scope.Fault{Pointer: "/notifications", Detail: "expected array, got " + k.String()})
	}
	if n := len(list.Items()); n > maxConfigured { // not worth reading
		return configuration, append(faults, scope.Fault{Pointer: "/notifications",
			Detail: fmt.Sprintf("expected at most %d members, got %d", maxConfigured, n)})
	}
	configuration.Document = body.Without("active", "notifications")
	at, _ := scope.ParsePointer("/notifications")
	registered := dispatcher.NewRegistrations(old.Notifications)
	for i, item := range list.Items() {
		n, found := s.readNotification(item, at.Child(strconv.Itoa(i)))
		if n.AdapterID == "" {
			n.AdapterID = adapterID
		}
		if needsSecret(n) && len(found) == 0 {
			found = scope.Faults{{Pointer: at.Child(strconv.Itoa(i)).Child("signing").Child("secret").String(),
				Detail: "is required in a configuration: every order would get a secret of its own, which nobody is shown"}}
		}
		before := configuredBefore(registered, n, i)
		renewed, redacted := renew(n, before, at.Child(strconv.Itoa(i)))
		if len(redacted) == 0 && n.AdapterID == adapterID && !sameCredentials(n, before, configuration.Document, old.Document) {
			redacted = headersElsewhere(n, at.Child(strconv.Itoa(i))) // the base address that they begin with is another
		}
		n = renewed
		faults = append(append(faults, found...), redacted...)
		configuration.Notifications = append(configuration.Notifications, n)
	}
	if total += len(configuration.Notifications); total > maxConfigured {
		faults = append(faults, scope.Fault{Pointer: "/notifications",
			Detail: fmt.Sprintf("the configurations of a channel hold at most %d notifications, these would be %d", maxConfigured, total)})
	}
	return configuration, faults
}

// configuredBefore finds the notification that one of the new configuration replaces: by id, else by adapter and
// reference, else the one in the same place that calls the same URL.
func configuredBefore(registered *dispatcher.Registrations, n dispatcher.Notification, place int) dispatcher.Notification {
	old := registered.All()
	if i := registered.Find(n); i >= 0 {
		return old[i]
	}
	if place < len(old) && old[place].URL == n.URL && old[place].ID == n.ID {
		return old[place]
	}
	return dispatcher.Notification{}
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
	s.answerConfiguration(c, http.StatusOK, configuration)
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

// answerConfiguration answers with the free JSON as written and the notifications as they are read back.
func (s *Server) answerConfiguration(c *gin.Context, status int, configuration dispatcher.Configuration) {
	views, err := s.viewNotifications(c, configuration.Notifications)
	if err != nil {
		s.fail(c, err)
		return
	}
	items := make([]scope.Value, 0, len(views))
	for _, v := range views {
		items = append(items, v.value())
	}
	document := configuration.Document.With("active", scope.Bool(configuration.Active)).With("notifications", scope.Array(items...))
	c.Data(status, "application/json", document.JSON())
}
