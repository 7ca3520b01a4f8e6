// Package watchio finds the files of patterns, for ever (Watch) or once (List),
// and hands them on as record.Work. The files are on local paths or, named with
// a scheme as in gs://bucket/in/*.csv, in any file system that the program has
// registered with Beam.
//
// Which files are loaded is the ledger's knowledge, asked through the Ledger
// interface; the watcher itself remembers only what it has handed on and what
// is not in the ledger yet. So its state stays small however many files a
// folder holds, and a file is the same file only while its path, size and
// modification time are: a path with other content is handed on again.
//
// What a poll finds is queued, sorted, and kept: while files wait, one look follows the
// other without a pause, and hands on the next ones, each looked at again before that.
//
// A poll looks at what is new by name or inode, and at all files from time to time:
// each time up to 5,000, else each minute, or each ten where the events of a local
// file system tell what happens. Events also wake Watch and Batches when a file has
// come whole, by a rename.
//
// Left alone are names that begin with a dot or an underscore (of files, and of
// folders that only a wildcard matches), folders, and whatever is no regular
// file; a symbolic link to a file is that file under the link's name. The part
// ** of a pattern stands for folders of any depth and does not go through links;
// in a store it stands for ten folders at most.
//
// Watch runs on the direct runner with WithBlocking(true), and on runners that
// resume a splittable DoFn without it. One call polls at a time: the watcher
// refuses to be split.
//
// The type of the ledger is a type parameter, because Beam sends a DoFn's
// fields to its workers and can't do that with an interface. The package that
// defines a ledger registers it in an init function:
//
//	watchio.Register[Ledger]()
package watchio
