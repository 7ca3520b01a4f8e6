package files

import "bytes"

// The names that Compression returns.
const (
	Gzip  = "gzip"
	Zstd  = "zstd"
	Bzip2 = "bzip2"
)

// Sniffed is how many of a file's first bytes tell its compression.
const Sniffed = 10

// Compression names the compression of content that begins with b, "" for none. No
// magic number can begin a CSV file of text, except bzip2's, which needs a digit as well.
func Compression(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\x1f\x8b")): // RFC 1952
		return Gzip
	case bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")): // RFC 8878, 3.1.1
		return Zstd
	case len(b) >= 4 && b[0]&0xf0 == 0x50 && bytes.Equal(b[1:4], []byte("\x2a\x4d\x18")): // a skippable frame: 3.1.2
		return Zstd
	case len(b) >= 10 && bytes.HasPrefix(b, []byte("BZh")) &&
		(bytes.Equal(b[4:10], []byte("\x31\x41\x59\x26\x53\x59")) || bytes.Equal(b[4:10], []byte("\x17\x72\x45\x38\x50\x90"))):
		return Bzip2
	}
	return ""
}
