import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.JobListener;

/**
 * Cancels the Flink job of a Beam job that is cancelled. Beam's job service only interrupts its
 * thread that waits for Flink, where the job would go on for ever. Each job has a listener of its
 * own, which execution.job-listeners in Flink's configuration asks for.
 */
public class CancelOnInterrupt implements JobListener {
  private JobClient job;

  @Override
  public void onJobSubmitted(JobClient client, Throwable failure) {
    job = client;
  }

  @Override
  public void onJobExecuted(JobExecutionResult result, Throwable failure) {
    if (job != null && failure instanceof InterruptedException) {
      job.cancel();
    }
  }
}
