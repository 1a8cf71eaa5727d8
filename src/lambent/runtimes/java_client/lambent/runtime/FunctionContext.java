package lambent.runtime;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The Context that a function gets, made over the interfaces that it brings: aws-lambda-java-core of any version.
 *
 * <p>A method that a later version adds and this does not know answers by its default.
 */
final class FunctionContext {
    private static final String RUNTIME = "com.amazonaws.services.lambda.runtime.LambdaRuntime";
    private static final String INTERNAL = "com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal";

    private final Class<?> type;
    private final Object logger;
    private final Method usesLog4j;
    private Method log4jPut;

    /** `type` is the function's Context, null where it takes none. */
    FunctionContext(Class<?> type, ClassLoader loader, Logs logs) {
        this.type = type;
        logger = type == null ? null : loggerOver(type, logs);
        Method asking = null;
        if (logger != null) {
            setRuntimeLogger(loader);
            try {
                asking = Class.forName(INTERNAL, true, loader).getMethod("getUseLog4jAppender");
            } catch (ReflectiveOperationException | LinkageError older) {
                asking = null;
            }
        }
        usesLog4j = asking;
    }

    /** Return the context of an invocation, null where the function takes none. */
    Object of(Invocation invocation) {
        if (type == null) {
            return null;
        }
        tellLog4j(invocation);
        return over(type, new Answers() {
            @Override
            Object answer(Method method, Object[] arguments) {
                return switch (method.getName()) {
                    case "getAwsRequestId" -> invocation.requestId();
                    case "getInvokedFunctionArn" -> invocation.functionArn();
                    case "getFunctionName" -> System.getenv("AWS_LAMBDA_FUNCTION_NAME");
                    case "getFunctionVersion" -> System.getenv("AWS_LAMBDA_FUNCTION_VERSION");
                    case "getLogGroupName" -> System.getenv("AWS_LAMBDA_LOG_GROUP_NAME");
                    case "getLogStreamName" -> System.getenv("AWS_LAMBDA_LOG_STREAM_NAME");
                    case "getMemoryLimitInMB" -> Integer.valueOf(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"));
                    case "getRemainingTimeInMillis" ->
                            (int) Math.max(0, invocation.deadlineMs() - System.currentTimeMillis());
                    case "getLogger" -> logger;
                    case "getTenantId" -> invocation.tenantId();
                    case "getXrayTraceId" -> invocation.traceId();
                    case "getIdentity" -> identity(method.getReturnType(), invocation.identity());
                    case "getClientContext" -> clientContext(method.getReturnType(), invocation.clientContext());
                    default -> UNKNOWN;
                };
            }
        });
    }

    private static Object identity(Class<?> type, String text) {
        if (text == null || text.isEmpty()) {
            return null;
        }
        Map<?, ?> told = membersOf(text);
        return over(type, new Answers() {
            @Override
            Object answer(Method method, Object[] arguments) {
                return switch (method.getName()) {
                    case "getIdentityId" -> told.get("cognitoIdentityId");
                    case "getIdentityPoolId" -> told.get("cognitoIdentityPoolId");
                    default -> UNKNOWN;
                };
            }
        });
    }

    private static Object clientContext(Class<?> type, String text) {
        if (text == null || text.isEmpty()) {
            return null;
        }
        Map<?, ?> told = membersOf(text);
        return over(type, new Answers() {
            @Override
            Object answer(Method method, Object[] arguments) {
                return switch (method.getName()) {
                    case "getClient" -> client(method.getReturnType(), told.get("client"));
                    case "getCustom" -> texts(told.get("custom"));
                    case "getEnvironment" -> texts(told.get("env"));
                    default -> UNKNOWN;
                };
            }
        });
    }

    private static Object client(Class<?> type, Object members) {
        if (!(members instanceof Map<?, ?> told)) {
            return null;
        }
        return over(type, new Answers() {
            @Override
            Object answer(Method method, Object[] arguments) {
                return switch (method.getName()) {
                    case "getInstallationId" -> told.get("installation_id");
                    case "getAppTitle" -> told.get("app_title");
                    case "getAppVersionName" -> told.get("app_version_name");
                    case "getAppVersionCode" -> told.get("app_version_code");
                    case "getAppPackageName" -> told.get("app_package_name");
                    default -> UNKNOWN;
                };
            }
        });
    }

    /** The interface promises texts: other values become their JSON. */
    private static Map<String, String> texts(Object members) {
        if (!(members instanceof Map<?, ?> told)) {
            return null;
        }
        Map<String, String> texts = new LinkedHashMap<>();
        for (Map.Entry<?, ?> one : told.entrySet()) {
            Object value = one.getValue();
            boolean isText = value == null || value instanceof String;
            texts.put((String) one.getKey(),
                    isText ? (String) value : JsonWriter.bytesOf(value).toString(StandardCharsets.UTF_8));
        }
        return texts;
    }

    private static Map<?, ?> membersOf(String json) {
        Object value = new JsonReader(json.getBytes(StandardCharsets.UTF_8)).whole(Codecs.of(Object.class));
        return value instanceof Map<?, ?> members ? members : Map.of();
    }

    // -- loggers ----------------------------------------------------------------------------------------------------

    private static Object loggerOver(Class<?> context, Logs logs) {
        try {
            return over(context.getMethod("getLogger").getReturnType(), new Answers() {
                @Override
                Object answer(Method method, Object[] arguments) {
                    if (!method.getName().equals("log")) {
                        return UNKNOWN;
                    }
                    String level = arguments.length > 1 ? ((Enum<?>) arguments[1]).name() : "UNDEFINED";
                    if (arguments[0] instanceof byte[] bytes) {
                        logs.log(bytes, level);
                    } else {
                        logs.log(String.valueOf(arguments[0]), level);
                    }
                    return null;
                }
            });
        } catch (NoSuchMethodException odd) {
            return null;
        }
    }

    /** What LambdaRuntime.getLogger() returns, for libraries that have no context at hand. */
    private void setRuntimeLogger(ClassLoader loader) {
        try {
            Field field = Class.forName(RUNTIME, true, loader).getDeclaredField("logger");
            field.setAccessible(true);
            field.set(null, logger);
        } catch (ReflectiveOperationException | RuntimeException | LinkageError other) {
            // Not the core library as published. It has a logger of its own, which writes to stdout.
            return;
        }
    }

    /** Put the request id where AWS's appender for log4j looks for it. Observed: aws-lambda-java-log4j2. */
    private void tellLog4j(Invocation invocation) {
        try {
            if (usesLog4j == null || !Boolean.TRUE.equals(usesLog4j.invoke(null))) {
                return;
            }
            if (log4jPut == null) {
                ClassLoader loader = type.getClassLoader();
                Class<?> threads = Class.forName("org.apache.logging.log4j.ThreadContext", true, loader);
                log4jPut = threads.getMethod("put", String.class, String.class);
            }
            log4jPut.invoke(null, "AWSRequestId", invocation.requestId());
        } catch (ReflectiveOperationException | LinkageError absent) {
            System.err.println("The function uses AWS's appender for log4j, but log4j cannot be told the request id: " + absent);
        }
    }

    // -- interfaces of the function ---------------------------------------------------------------------------------

    private static Object over(Class<?> type, Answers answers) {
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, answers);
    }

    private abstract static class Answers implements InvocationHandler {
        static final Object UNKNOWN = new Object();

        abstract Object answer(Method method, Object[] arguments);

        @Override
        public final Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
            Object answer = answer(method, arguments);
            if (answer != UNKNOWN) {
                return answer;
            }
            if (method.isDefault()) {
                return InvocationHandler.invokeDefault(proxy, method, arguments);
            }
            return switch (method.getName()) {
                case "equals" -> proxy == arguments[0];
                case "hashCode" -> System.identityHashCode(proxy);
                case "toString" -> method.getDeclaringClass() == Object.class
                        ? proxy.getClass().getInterfaces()[0].getSimpleName() : null;
                default -> null;
            };
        }
    }
}
