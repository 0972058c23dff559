package scope

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The cache's bounds. A compiled schema is many times as large as its text, so the
// texts together are bounded as well.
const (
	maxCachedSchemas = 1024
	maxCachedBytes   = 4 << 20
)

// compiled remembers schemas by their text: compiling takes a hundred times as long
// as matching, and scopes are parsed whenever a notification is read from the store.
var compiled = newSchemaCache()

// schemaCache keeps the schemas that were asked for last.
type schemaCache struct {
	mu      sync.Mutex
	schemas *simplelru.LRU[string, *jsonschema.Schema]
	bytes   int // of all texts
}

func newSchemaCache() *schemaCache {
	c := &schemaCache{}
	c.schemas, _ = simplelru.NewLRU(maxCachedSchemas, func(text string, _ *jsonschema.Schema) { c.bytes -= len(text) }) // fails only for a size of 0
	return c
}

func (c *schemaCache) get(text string) *jsonschema.Schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, _ := c.schemas.Get(text)
	return s
}

func (c *schemaCache) put(text string, s *jsonschema.Schema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.schemas.Contains(text) {
		return
	}
	c.schemas.Add(text, s)
	for c.bytes += len(text); c.bytes > maxCachedBytes; {
		c.schemas.RemoveOldest()
	}
}
