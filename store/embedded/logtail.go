package embedded

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

const (
	tailLines   = 12
	tailLineMax = 4096 // bytes; a longer line is forwarded in pieces
)

// logTail takes the output of the child, forwards each line to the logger at
// debug and keeps the last ones for the error of a failed start.
type logTail struct {
	logger *slog.Logger

	mu    sync.Mutex
	rest  []byte // an unfinished line
	lines []string
}

func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		if end < 0 && len(l.rest) < tailLineMax {
			return len(p), nil
		}
		if end < 0 {
			l.keep(string(l.rest))
			l.rest = nil
			return len(p), nil
		}
		l.keep(string(l.rest[:end]))
		l.rest = l.rest[end+1:]
	}
}

func (l *logTail) keep(line string) {
	line = strings.TrimSpace(line)
	if line == "" {
		return
	}
	l.logger.Debug("redis", "line", line)
	l.lines = append(l.lines, line)
	if len(l.lines) > tailLines {
		l.lines = l.lines[1:]
	}
}

// last is the end of an error text: the last lines, or that there were none.
func (l *logTail) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	if rest := strings.TrimSpace(string(l.rest)); rest != "" {
		lines = append(lines[:len(lines):len(lines)], rest)
	}
	if len(lines) == 0 {
		return " (it logged nothing)"
	}
	return "; its last log lines:\n\t" + strings.Join(lines, "\n\t")
}
