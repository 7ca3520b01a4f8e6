package embeddedpg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that operating systems give to outgoing
// connections: a client that dials such a port while the server is down may
// otherwise be given the very port and connect to itself.
const (
	lowestPort  = 20000
	highestPort = 31999
	portTries   = 100
)

// choosePort returns the wanted port, or the preferred one where it is free,
// or any free one.
func choosePort(wanted, preferred int) (int, error) {
	if wanted != 0 {
		if !portFree(wanted) {
			return 0, fmt.Errorf("port %d is taken by another program", wanted)
		}
		return wanted, nil
	}
	if preferred != 0 && portFree(preferred) {
		return preferred, nil
	}
	for range portTries {
		if p := lowestPort + rand.IntN(highestPort-lowestPort+1); portFree(p) {
			return p, nil
		}
	}
	return 0, errors.New("found no free port")
}

func portFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
