package dispatcher

import "github.com/tidings/tidings/scope"

// Configuration is what an adapter keeps with Tidings for one channel of a merchant: free JSON that the placeholders
// of its notifications refer to, and notifications that every order created in the channel gets from then on.
type Configuration struct {
	AdapterID     string
	Active        bool        // an inactive one adds no notifications; its placeholders still resolve
	Document      scope.Value // without the members active and notifications
	Notifications []Notification
}
