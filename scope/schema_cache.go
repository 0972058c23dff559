package scope

import (
	"sync"

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
var compiled = schemaCache{schemas: map[string]*jsonschema.Schema{}}

type schemaCache struct {
	mu      sync.Mutex
	schemas map[string]*jsonschema.Schema
	bytes   int // of all texts
}

func (c *schemaCache) get(text string) *jsonschema.Schema {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.schemas[text]
}

// put makes room by dropping whichever schemas come first: with more in use than
// fit, none is better to keep than another.
func (c *schemaCache) put(text string, s *jsonschema.Schema) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.schemas[text]; ok {
		return
	}
	for old := range c.schemas {
		if len(c.schemas) < maxCachedSchemas && c.bytes+len(text) <= maxCachedBytes {
			break
		}
		delete(c.schemas, old)
		c.bytes -= len(old)
	}
	c.schemas[text] = s
	c.bytes += len(text)
}
