//go:build !linux

package embeddedpg

import "syscall"

// serverAttributes: where the kernel can't stop a server whose watching child
// was killed, the next start in its folder does.
func serverAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}
