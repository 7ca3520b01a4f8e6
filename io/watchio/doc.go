// Package watchio finds the files of a pattern on local paths, for ever
// (Watch) or once (List), and hands them on as record.Work.
//
// Which files are loaded is the ledger's knowledge, asked through the Ledger
// interface; the watcher itself remembers only what it has handed on and what
// is not in the ledger yet. So its state stays small however many files a
// folder holds, and a file is the same file only while its path, size and
// modification time are: a path with other content is handed on again.
//
// Left alone are names that begin with a dot or an underscore (of files, and of
// folders that only a wildcard matches), folders, and whatever is no regular
// file; a symbolic link to a file is that file under the link's name.
//
// The type of the ledger is a type parameter, because Beam sends a DoFn's
// fields to its workers and can't do that with an interface. The package that
// defines a ledger registers it in an init function:
//
//	watchio.Register[Ledger]()
package watchio
