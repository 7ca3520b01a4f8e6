package embeddedpg

import "syscall"

// serverAttributes have the kernel stop the server cleanly when the child that
// watches it is killed.
func serverAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGINT}
}
