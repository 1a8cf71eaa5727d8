package lambent.runtime;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOError;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * What runs in the function's JVM in the place of AWS's client: loads the function and serves it.
 *
 * <p>In: the variables that a runtime starts with, events from the Runtime API. Out: answers and framed log records.
 * Java 17 and newer, the JDK's own classes only. Functions see none of ours: their loader's parent is the JDK's.
 * No lambdas and no string formats on the way to the first answer; each would cost milliseconds of every cold start.
 *
 * <p>Observed: aws/aws-lambda-java-libs, aws-lambda-java-runtime-interface-client 2.10.1, for what functions can see.
 */
public final class Main {
    private static final String TRACE_PROPERTY = "com.amazonaws.xray.traceHeader";

    private Main() {
    }

    /** Serve the function. Arguments: the folder of the layers, and the descriptor for log records where there is one. */
    public static void main(String[] arguments) throws IOException {
        System.setOut(unbuffered(FileDescriptor.out));
        System.setErr(unbuffered(FileDescriptor.err));
        FunctionLoader loader = new FunctionLoader(System.getenv("LAMBDA_TASK_ROOT"), arguments[0]);
        Logs logs = new Logs(arguments.length > 1 ? arguments[1] : "");
        run(System.getenv("AWS_LAMBDA_RUNTIME_API"), System.getenv("_HANDLER"), loader, logs);
    }

    static void run(String address, String name, ClassLoader loader, Logs logs) throws IOException {
        RuntimeApi api = new RuntimeApi(address);
        Handler handler = null;
        Thread.currentThread().setContextClassLoader(loader);
        try {
            handler = Handlers.find(name, loader, logs);
        } catch (Fault fault) {
            logs.failure(fault);
            api.initError(fault);
            System.exit(1);
        }
        if ("snap-start".equals(System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"))) {
            api.awaitRestore();
        }
        while (serve(api, handler, logs)) {
            // What the function left set would end the wait for the next event.
            Thread.interrupted();
        }
        System.exit(1);
    }

    /** Serve one invocation; false: nothing that could run another is left. */
    private static boolean serve(RuntimeApi api, Handler handler, Logs logs) throws IOException {
        Invocation invocation = api.next();
        if (invocation.traceId() == null) {
            System.clearProperty(TRACE_PROPERTY);
        } else {
            System.setProperty(TRACE_PROPERTY, invocation.traceId());
        }
        logs.begin(invocation);
        Fault fault;
        boolean isOver;
        try {
            Bytes answer = handler.call(invocation);
            api.respond(invocation.requestId(), answer);
            return true;
        } catch (Fault known) {
            fault = known;
            isOver = known.isFatal;
        } catch (ApiException unusable) {
            throw unusable;
        } catch (Throwable thrown) {
            fault = Fault.ofFunction(thrown);
            isOver = thrown instanceof VirtualMachineError || thrown instanceof IOError;
        }
        // Before the answer, unlike the official client: behind it the environment may be frozen.
        logs.failure(fault);
        api.error(invocation.requestId(), fault);
        return !isOver;
    }

    /** Return a stream that writes each text at once, so that it stands in order with what else is written. */
    private static PrintStream unbuffered(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), false, StandardCharsets.UTF_8);
    }
}
