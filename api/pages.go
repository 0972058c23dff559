package api

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

//go:embed openapi.yaml
var openAPIDocument []byte

func openAPI(c *gin.Context) { c.Data(http.StatusOK, "application/yaml", openAPIDocument) }

// entrance tells who opens the address in a browser where everything is.
func entrance(c *gin.Context) {
	c.PureJSON(http.StatusOK, gin.H{"api": "/openapi.yaml", "monitoring": "/monitoring/", "health": "/health/ready", "metrics": "/metrics"})
}

// crossOrigin refuses writes that another site makes a browser send, which would come with the operator's credentials.
var crossOrigin = http.NewCrossOriginProtection()

// protectPage sets what a page may load (only what comes from here: Asynqmon asks for an outside font, and works
// without) and refuses writes from other sites.
func protectPage(c *gin.Context) {
	if err := crossOrigin.Check(c.Request); err != nil {
		writeProblem(c, problem(http.StatusForbidden, "cross_origin", "Writes from other sites are refused."))
		return
	}
	c.Header("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "+
		"img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'")
	c.Header("X-Frame-Options", "DENY")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Cross-Origin-Resource-Policy", "same-origin") // no other site shows or times what is read here
	c.Header("Cross-Origin-Opener-Policy", "same-origin")
}
