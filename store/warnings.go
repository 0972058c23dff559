package store

import (
	"context"
	"strings"
)

// Warnings tells what in the configuration of Redis puts promises at risk: no persistence, or keys that may be evicted.
func (s *Store) Warnings(ctx context.Context) ([]string, error) {
	info, err := s.rdb.Info(ctx).Result() // all of it: before Redis 7, and in miniredis, one cannot ask for two sections
	if err != nil {
		return nil, unavailable("read info", err)
	}
	facts := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[name] = value
		}
	}
	var warnings []string
	if version := facts["redis_version"]; strings.HasPrefix(version, "6.0.") || version != "" && version[0] < '6' && version[1] == '.' {
		warnings = append(warnings, "Redis "+version+" is too old: queries need 6.2 or later")
	}
	if facts["aof_enabled"] != "1" {
		warnings = append(warnings, "Redis has no append-only file (appendonly no): accepted changes are lost when it stops")
	}
	if policy, known := facts["maxmemory_policy"]; known && policy != "noeviction" {
		warnings = append(warnings, "Redis may evict keys (maxmemory-policy "+policy+"): set it to noeviction")
	}
	return warnings, nil
}
