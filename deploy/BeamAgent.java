import static net.bytebuddy.matcher.ElementMatchers.nameEndsWith;
import static net.bytebuddy.matcher.ElementMatchers.named;
import static net.bytebuddy.matcher.ElementMatchers.takesArguments;

import java.lang.instrument.Instrumentation;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Collections;
import java.util.Set;
import net.bytebuddy.agent.builder.AgentBuilder;
import net.bytebuddy.implementation.MethodCall;
import net.bytebuddy.utility.JavaModule;

/**
 * A Java agent for what Beam's runners have no options for.
 *
 * <p>It keeps their gRPC services on the loopback address. Beam's ServerFactory takes only the port
 * of the address it is given and listens on all addresses of the machine, whatever --job-host says;
 * and who reaches a job service can have it run any command.
 *
 * <p>Its argument is any of these words, with commas between them: all-addresses leaves the services
 * on all addresses, for a container, say; with no-upload a job server does not send its own jars
 * along with each job.
 */
public class BeamAgent {
  public static void premain(String argument, Instrumentation instrumentation) throws Exception {
    Set<String> words = Set.of(argument == null ? new String[0] : argument.split(","));
    AgentBuilder agent = new AgentBuilder.Default().with(new EndOnError());
    if (!words.contains("all-addresses")) {
      agent =
          agent
              .type(nameEndsWith(".io.grpc.netty.NettyServerBuilder"))
              .transform((b, t, l, m, d) -> b.method(named("forPort")).intercept(FOR_LOOPBACK));
    }
    if (words.contains("no-upload")) {
      agent =
          agent
              .type(nameEndsWith(".ClasspathScanningResourcesDetector"))
              .transform((b, t, l, m, d) -> b.method(named("detect")).intercept(NOTHING));
    }
    agent.installOn(instrumentation);
  }

  /** NettyServerBuilder.forPort(port) becomes forAddress(new InetSocketAddress(loopback, port)). */
  private static final MethodCall FOR_LOOPBACK;

  private static final MethodCall NOTHING;

  static {
    try {
      FOR_LOOPBACK =
          MethodCall.invoke(named("forAddress").and(takesArguments(SocketAddress.class)))
              .withMethodCall(
                  MethodCall.construct(
                          InetSocketAddress.class.getConstructor(InetAddress.class, int.class))
                      .withMethodCall(
                          MethodCall.invoke(InetAddress.class.getMethod("getLoopbackAddress")))
                      .withArgument(0));
      NOTHING = MethodCall.invoke(Collections.class.getMethod("emptyList"));
    } catch (NoSuchMethodException e) {
      throw new LinkageError("java.base has these", e);
    }
  }

  /** Rather no service than one that is open to all. */
  private static class EndOnError extends AgentBuilder.Listener.Adapter {
    @Override
    public void onError(
        String type, ClassLoader loader, JavaModule module, boolean loaded, Throwable cause) {
      System.err.println("The agent cannot change " + type + ": " + cause);
      Runtime.getRuntime().halt(1);
    }
  }
}
