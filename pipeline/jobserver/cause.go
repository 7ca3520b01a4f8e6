package jobserver

import (
	"regexp"
	"strings"
)

// Runners tell a failure as a Java exception: class names, stack traces, and in
// between what happened.
var (
	javaClass = regexp.MustCompile(`^(Caused by: )?([a-z][\w$]*\.)+[A-Z][\w$]*(Exception|Error|Throwable): `)
	stackLine = regexp.MustCompile(`^\s*(at [\w.$/<>]+\(|\.\.\. \d+ (more|common frames omitted))`)
	inBundle  = regexp.MustCompile(`^Error received from SDK harness for instruction \S+: `)
)

// goCause is how errors of the Go SDK lead to what caused them.
const goCause = "caused by:"

// cause returns, in one line, what went wrong first of all that a runner says:
// the innermost cause of the innermost exception.
func cause(text string) string {
	innermost := text
	if i := strings.LastIndex(text, "\nCaused by: "); i >= 0 {
		innermost = text[i+1:]
	}
	var lines []string
	for line := range strings.Lines(innermost) {
		if line = strings.TrimRight(line, "\r\n"); !stackLine.MatchString(line) && strings.TrimSpace(line) != "" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	for i := len(lines) - 2; i >= 0; i-- {
		if lines[i] == goCause {
			lines = lines[i+1:]
			break
		}
	}
	if len(lines) == 0 {
		return strings.TrimSpace(text)
	}
	first := strings.TrimPrefix(lines[0], "Caused by: ")
	for javaClass.MatchString(first) {
		first = javaClass.ReplaceAllString(first, "")
	}
	return inBundle.ReplaceAllString(first, "")
}
