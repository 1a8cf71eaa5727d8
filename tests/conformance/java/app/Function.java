package app;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The functions of the shared suite; the file `which` beside the classes says which one this package is. */
public class Function {
    private static final CountDownLatch DONE = new CountDownLatch(1);
    private static final String WHICH = which();

    private static String which() {
        try (InputStream in = Function.class.getResourceAsStream("/which")) {
            String which = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            if (which.equals("init_error")) {
                throw new IllegalStateException("boom");
            }
            return which;
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    public Object handler(Map<String, Object> event, Context context) throws Exception {
        switch (WHICH) {
            case "echo":
                if (event.containsKey("say")) {
                    System.out.println("said " + event.get("say"));
                }
                return event;
            case "goodbye":
                Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                    System.out.println("goodbye");
                    Runtime.getRuntime().halt(0);
                }));
                return null;
            case "error":
                throw new IllegalStateException("boom");
            case "nested_error":
                return inner();
            case "exit":
                System.exit(3);
                return null;
            case "context":
                int left = context.getRemainingTimeInMillis();
                Thread.sleep(10);
                return List.of(context.getAwsRequestId(), context.getInvokedFunctionArn(), context.getFunctionName(),
                        context.getFunctionVersion(), String.valueOf(context.getMemoryLimitInMB()), context.getLogGroupName(),
                        context.getLogStreamName(), left, context.getRemainingTimeInMillis());
            case "order":
                System.out.println("one");
                System.err.println("two");
                context.getLogger().log("three\n", LogLevel.WARN);
                System.out.println("four");
                return null;
            case "logs":
                context.getLogger().log("low", LogLevel.DEBUG);
                context.getLogger().log("high", LogLevel.ERROR);
                return null;
            case "environment":
                Map<String, String> seen = new HashMap<>(System.getenv());
                // Where clients of Java keep it: a JVM cannot change its variables.
                seen.put("_X_AMZN_TRACE_ID", System.getProperty("com.amazonaws.xray.traceHeader"));
                return seen;
            default:
                return leftOver(event.get("wait"));
        }
    }

    private static Object leftOver(Object wait) throws InterruptedException {
        if (wait != null) {
            return DONE.await((Integer) wait, TimeUnit.MILLISECONDS);
        }
        new Thread(() -> {
            try {
                Thread.sleep(50);
                DONE.countDown();
            } catch (InterruptedException ended) {
                Thread.currentThread().interrupt();
            }
        }).start();
        return false;
    }

    private static Object inner() {
        throw new IllegalStateException("boom");
    }
}
