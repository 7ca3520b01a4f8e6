package postgresio

import "encoding/binary"

// duplicatePlaces notes which of the unit's records were duplicates: runs of
// bytes of the range, as unsigned varints, in turn how many to leave out and how
// many the run has. A run may go on over dead letters, which the ledger knows by
// themselves.
func duplicatePlaces(u *unit) []byte {
	places := []byte{}
	at, begun := u.source.Start, int64(-1)
	for i := range u.rows {
		r := &u.rows[i]
		switch {
		case r.outcome == duplicate && begun < 0:
			begun = r.offset
		case r.outcome != duplicate && begun >= 0:
			places = appendRun(places, at, begun, r.offset)
			at, begun = r.offset, -1
		}
	}
	if begun >= 0 {
		places = appendRun(places, at, begun, u.source.End)
	}
	return places
}

func appendRun(places []byte, at, start, end int64) []byte {
	places = binary.AppendUvarint(places, uint64(start-at))
	return binary.AppendUvarint(places, uint64(end-start))
}

// run is a part of a file, in bytes; end is exclusive.
type run struct{ start, end int64 }

// readPlaces is the inverse of duplicatePlaces, for a range that begins at the
// byte at. What is damaged gives fewer runs.
func readPlaces(places []byte, at int64) (runs []run) {
	for len(places) > 0 {
		skip, n := binary.Uvarint(places)
		length, m := binary.Uvarint(places[max(n, 0):])
		if n <= 0 || m <= 0 {
			return runs
		}
		r := run{at + int64(skip), at + int64(skip) + int64(length)}
		runs, at, places = append(runs, r), r.end, places[n+m:]
	}
	return runs
}
