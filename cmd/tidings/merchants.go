package main

import (
	"fmt"
	"time"
)

// fileMerchant is what the configuration file says of one merchant.
type fileMerchant struct {
	Name      string `yaml:"name"`
	Retention string `yaml:"retention"`
}

func parseRetention(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute {
		return 0, fmt.Errorf("%q: expected a duration of at least 1m, such as 168h", text)
	}
	return d, nil
}

// checkMerchants reads the merchants of the file and tells every fault of them.
func checkMerchants(all []fileMerchant) (retention map[string]time.Duration, faults []error) {
	retention = map[string]time.Duration{}
	for i, m := range all {
		var found []error
		if m.Name == "*" || !tokenMerchant.MatchString(m.Name) {
			found = append(found, fmt.Errorf("name: %q is no merchant", m.Name))
		} else if _, twice := retention[m.Name]; twice {
			found = append(found, fmt.Errorf("name: %q is there already", m.Name))
		}
		kept, err := parseRetention(m.Retention)
		if err != nil {
			found = append(found, fmt.Errorf("retention: %w", err))
		}
		retention[m.Name] = kept
		faults = append(faults, under(fmt.Sprintf("merchants[%d]", i), found)...)
	}
	return retention, faults
}
