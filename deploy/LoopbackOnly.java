import static net.bytebuddy.matcher.ElementMatchers.nameEndsWith;
import static net.bytebuddy.matcher.ElementMatchers.named;
import static net.bytebuddy.matcher.ElementMatchers.takesArguments;

import java.lang.instrument.Instrumentation;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import net.bytebuddy.agent.builder.AgentBuilder;
import net.bytebuddy.implementation.MethodCall;
import net.bytebuddy.utility.JavaModule;

/**
 * A Java agent that keeps Beam's gRPC services on the loopback address. Beam's ServerFactory takes
 * only the port of the address it is given and listens on all addresses of the machine, whatever
 * --job-host says; and who reaches a job service can have it run any command.
 */
public class LoopbackOnly {
  public static void premain(String arguments, Instrumentation instrumentation) throws Exception {
    // NettyServerBuilder.forPort(port) becomes forAddress(new InetSocketAddress(loopback, port)).
    MethodCall address =
        MethodCall.construct(
                InetSocketAddress.class.getConstructor(InetAddress.class, int.class))
            .withMethodCall(MethodCall.invoke(InetAddress.class.getMethod("getLoopbackAddress")))
            .withArgument(0);
    MethodCall forAddress =
        MethodCall.invoke(named("forAddress").and(takesArguments(SocketAddress.class)))
            .withMethodCall(address);
    new AgentBuilder.Default()
        .with(new EndOnError())
        .type(nameEndsWith(".io.grpc.netty.NettyServerBuilder"))
        .transform((b, t, l, m, d) -> b.method(named("forPort")).intercept(forAddress))
        .installOn(instrumentation);
  }

  /** Rather no service than one that is open to all. */
  private static class EndOnError extends AgentBuilder.Listener.Adapter {
    @Override
    public void onError(String type, ClassLoader loader, JavaModule module, boolean loaded, Throwable cause) {
      System.err.println("Cannot keep " + type + " on the loopback address: " + cause);
      Runtime.getRuntime().halt(1);
    }
  }
}
