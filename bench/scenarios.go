package main

import "context"

// leastRows is the number of rows by which the smallest of the files still have
// some.
const leastRows = 1000

// scenario is something to measure: a row of the table, or a few that come from
// the same runs.
type scenario struct {
	name, what string
	run        func(*bench, context.Context) ([]measure, error)
	peers      bool // beside other loaders
	slow       bool // takes more than a part of a minute
}

func scenarios() []scenario {
	return []scenario{
		{name: "one-file", what: "valid rows in one file, against psql \\copy", run: (*bench).oneFile},
		{name: "hundred-files", what: "the same rows in 100 files, against psql \\copy of the one", run: (*bench).hundredFiles},
		{name: "faults", what: "2% duplicates and 1% invalid, against psql \\copy of as many valid rows", run: (*bench).faults},
		{name: "small-files", what: "files of 100 rows, against one psql that runs a \\copy for each", run: (*bench).smallFiles},
		{name: "resend", what: "rows that are all there, under another file name, against an empty table", run: (*bench).resend},
		{name: "ceiling", what: "share of the rate of a bare loader without Beam, validation and ledger", run: (*bench).ceiling},
		{name: "upsert", what: "insert_mode upsert, half of the keys there, against insert", run: (*bench).upsert},
		{name: "growth", what: "the rate of the 20th million rows of one table against the first", run: (*bench).growth, slow: true},
		{name: "cpu", what: "CPU of the process for a million rows", run: (*bench).cpu},
		{name: "memory", what: "resident memory: files of 1 GB and of 5 GB, and a gzip of 5 GB", run: (*bench).memory, slow: true},
		{name: "latency", what: "from rename to visible in the table, quiet local folder", run: (*bench).latency},
		{name: "backlog", what: "CPU for each file of a backlog of 200,000 files of one row, against one of 2,000", run: (*bench).backlog, slow: true},
		{name: "idle", what: "CPU with an empty folder, and with 100,000 loaded files in it", run: (*bench).idle, slow: true},
		{name: "poll", what: "a poll over 100,000 known files", run: (*bench).poll, slow: true},
		{name: "start", what: "a start with 100,000 loaded files until a new file's first row", run: (*bench).start, slow: true},
		{name: "parse", what: "reading, parsing and rules alone, one core", run: (*bench).parse},
		{name: "generate", what: "the generator, into a folder", run: (*bench).generate},
		{name: "peers-one-file", what: "rows in one file, beside other loaders", run: (*bench).peersOneFile, peers: true},
		{name: "peers-small-files", what: "files of 100 rows, beside other loaders", run: (*bench).peersSmallFiles, peers: true},
	}
}
