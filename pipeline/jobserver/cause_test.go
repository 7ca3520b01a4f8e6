package jobserver

import "testing"

func TestCause(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"a line", "The job was refused.", "The job was refused."},
		{"nothing", "", ""},
		{"a class without a message", "java.lang.NullPointerException\n\tat a.B.c(B.java:1)", "java.lang.NullPointerException\n\tat a.B.c(B.java:1)"},
		{"cancelled", "org.apache.flink.runtime.client.JobCancellationException: Job was cancelled.\n\tat a.B.c(B.java:1)", flinkCancelled},
		{"the exception around says more", `java.lang.RuntimeException: Pipeline failed
	at org.apache.beam.A.b(A.java:1)
Caused by: java.lang.Exception: The user defined 'open()' method caused an exception: java.io.IOException: Cannot run program "/x/boot": error=2, No such file or directory
	at org.apache.flink.A.b(A.java:1)
	... 5 more
Caused by: org.apache.beam.vendor.guava.v32_1_2_jre.com.google.common.util.concurrent.UncheckedExecutionException: java.io.IOException: Cannot run program "/x/boot": error=2, No such file or directory
	at org.apache.beam.A$B.<init>(A.java:1)
	... 15 more
	Suppressed: java.lang.NullPointerException: Process for id does not exist: 5-1
		at org.apache.beam.A.b(A.java:1)
Caused by: java.io.IOException: error=2, No such file or directory
	at java.base/java.lang.ProcessImpl.forkAndExec(Native Method)
	... 29 more
`, `Cannot run program "/x/boot": error=2, No such file or directory`},
		{"a DoFn's error", `org.apache.flink.runtime.client.JobExecutionException: Job execution failed.
	at org.apache.flink.A.b(A.java:1)
Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 2: process bundle failed for instruction 2 using plan 7-2 : while executing Process for Plan[7-2]:
1: DataSource[S[fn/read/n1:0@localhost:37647], local_output] Out:6 Coder:W;fn/wire/n1:0<bytes;c2>!GWC
	caused by:
source failed processing data
	caused by:
DoFn[UID:6, PID:e2, Name: github.com/cartstream/cartstream/io/watchio.listFn[github.com/cartstream/cartstream/io/postgresio.Ledger]] failed:
reading the catalog of PostgreSQL: 127.0.0.1:5432 (127.0.0.1): server error:
role "nobody" does not exist (SQLSTATE 28000)
	at org.apache.beam.A.b(A.java:180)
`, `reading the catalog of PostgreSQL: 127.0.0.1:5432 (127.0.0.1): server error:; role "nobody" does not exist (SQLSTATE 28000)`},
		{"the harness itself", "java.lang.RuntimeException: Error received from SDK harness for instruction 7: unable to find plan", "unable to find plan"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := cause(tc.text); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
