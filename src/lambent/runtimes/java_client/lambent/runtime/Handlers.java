package lambent.runtime;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * From `pkg.Class` or `pkg.Class::method` to what can be called.
 *
 * <p>What is wrong with the handler itself fails invocations and not init, as with the official client; what the
 * function throws while it is loaded ends the environment. Documented: developer guide, Define Lambda function handler
 * in Java. Observed: the official client's order among overloads, and its texts.
 */
final class Handlers {
    private static final String CONTEXT = "com.amazonaws.services.lambda.runtime.Context";
    private static final String REQUEST_HANDLER = "com.amazonaws.services.lambda.runtime.RequestHandler";
    private static final String STREAM_HANDLER = "com.amazonaws.services.lambda.runtime.RequestStreamHandler";
    private static final byte[] NULL = {'n', 'u', 'l', 'l'};

    private final ClassLoader loader;
    private final Logs logs;

    private Handlers(ClassLoader loader, Logs logs) {
        this.loader = loader;
        this.logs = logs;
    }

    /** Load a handler. Throws a Fault where loading it ends the environment. */
    static Handler find(String text, ClassLoader loader, Logs logs) {
        try {
            return new Handlers(loader, logs).find(text);
        } catch (Fault fault) {
            if (fault.isFatal) {
                throw fault;
            }
            return failing(fault);
        }
    }

    private static Handler failing(Fault fault) {
        return new Handler() {
            @Override
            public Bytes call(Invocation invocation) {
                throw fault;
            }
        };
    }

    private Handler find(String text) {
        int colons = text.lastIndexOf("::");
        String className = colons < 0 ? text : text.substring(0, colons);
        String methodName = colons < 0 ? null : text.substring(colons + 2);
        if (className.isEmpty() || (methodName != null && methodName.isEmpty())) {
            throw Fault.of("Invalid handler: `" + text + "'");
        }
        Class<?> type;
        try {
            type = Class.forName(className, true, loader);
        } catch (ClassNotFoundException missing) {
            throw Fault.of("Class not found: " + className, missing, false);
        } catch (NoClassDefFoundError missing) {
            // Told by the first invocation, which ends the environment.
            return failing(Fault.ofLoading(className, missing));
        } catch (Throwable broken) {
            throw Fault.ofLoading(className, broken);
        }
        return methodName == null ? ofInterface(type) : ofMethod(type, methodName);
    }

    // -- pkg.Class --------------------------------------------------------------------------------------------------

    private Handler ofInterface(Class<?> type) {
        Class<?> streams = supertype(type, STREAM_HANDLER);
        if (streams != null) {
            Target target = new Target(this, theMethod(streams), instanceOf(type), true);
            return streaming(target, true, true, true);
        }
        Class<?> requests = supertype(type, REQUEST_HANDLER);
        if (requests == null) {
            throw Fault.of("Class does not implement an appropriate handler interface: " + type.getName());
        }
        Type[] types = Types.argumentsOf(type, requests);
        if (types == null) {
            throw Fault.of("Class " + type.getName() + " does not implement RequestHandler with concrete type parameters");
        }
        for (Type one : types) {
            if (one instanceof TypeVariable<?> variable && Arrays.equals(variable.getBounds(), new Type[] {Object.class})) {
                throw Fault.of("Class " + type.getName() + " does not implement RequestHandler with concrete type"
                        + " parameters: parameter " + variable + " has no upper bound.");
            }
        }
        Target target = new Target(this, theMethod(requests), instanceOf(type), true);
        return converting(target, types[0], types[1], true);
    }

    /** Return the interface of a name that a class has, itself or by a superclass; null: it does not have it. */
    private static Class<?> supertype(Class<?> type, String name) {
        if (type == null || type.getName().equals(name)) {
            return type;
        }
        Class<?> found = supertype(type.getSuperclass(), name);
        for (Class<?> one : type.getInterfaces()) {
            found = found == null ? supertype(one, name) : found;
        }
        return found;
    }

    private static Method theMethod(Class<?> type) {
        for (Method method : type.getMethods()) {
            if (Modifier.isAbstract(method.getModifiers())) {
                return method;
            }
        }
        throw Fault.of(type.getName() + " has no method");
    }

    // -- pkg.Class::method ------------------------------------------------------------------------------------------

    private Handler ofMethod(Class<?> type, String name) {
        List<Method> overloads = new ArrayList<>();
        try {
            for (Method method : type.getMethods()) {
                if (method.getName().equals(name)) {
                    overloads.add(method);
                }
            }
        } catch (NoClassDefFoundError missing) {
            throw Fault.of("Error loading method " + name + " on class " + type.getName(), missing, false);
        }
        overloads.sort(new Comparator<Method>() {
            @Override
            public int compare(Method one, Method other) {
                return one.isBridge() == other.isBridge() ? weight(other) - weight(one) : one.isBridge() ? 1 : -1;
            }
        });
        for (Method method : overloads) {
            Handler handler = ofOverload(type, method);
            if (handler != null) {
                return handler;
            }
        }
        throw Fault.of("No public method named " + name + " with appropriate method signature found on class "
                + type.getName());
    }

    /** The more parameters the better, and a context counts twice. */
    private static int weight(Method method) {
        Class<?>[] parameters = method.getParameterTypes();
        int last = parameters.length - 1;
        return parameters.length + (last >= 0 && isContext(parameters[last]) ? 1 : 0);
    }

    private Handler ofOverload(Class<?> type, Method method) {
        Type[] parameters = method.getGenericParameterTypes();
        int count = parameters.length;
        boolean hasContext = count > 0 && isContext(parameters[count - 1]);
        int others = hasContext ? count - 1 : count;
        boolean isIn = others > 0 && parameters[0] == InputStream.class;
        boolean isOut = others > 0 && parameters[others - 1] == OutputStream.class;
        if (others > 2 || (others == 2 && !(isIn && isOut)) || (others > 0 && isContext(parameters[0]))) {
            System.err.println("Ignoring an overload of method " + method.getName() + ": it takes neither (event), (event,"
                    + " Context), (InputStream, OutputStream) nor (InputStream, OutputStream, Context)");
            return null;
        }
        Object instance = Modifier.isStatic(method.getModifiers()) ? null : instanceOf(type);
        Target target = new Target(this, method, instance, hasContext);
        if (isIn || isOut) {
            if (method.getReturnType() != void.class) {
                System.err.println("Will ignore return type " + method.getReturnType() + " on byte stream handler");
            }
            return streaming(target, isIn, isOut, hasContext);
        }
        Type event = others == 0 ? null : Types.resolve(parameters[0], Types.variablesOf(type));
        return converting(target, event, Types.resolve(method.getGenericReturnType(), Types.variablesOf(type)), hasContext);
    }

    private static boolean isContext(Type type) {
        return type instanceof Class<?> one && one.getName().equals(CONTEXT);
    }

    private static Object instanceOf(Class<?> type) {
        Constructor<?> constructor;
        try {
            constructor = type.getConstructor();
        } catch (NoSuchMethodException missing) {
            boolean isInner = type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers());
            Exception told = isInner
                    ? new Exception("Class " + type.getName() + " cannot be instantiated because it is a non-static inner class")
                    : new Exception("Class " + type.getName() + " has no public zero-argument constructor", missing);
            throw Fault.ofInit(told, false);
        }
        try {
            return constructor.newInstance();
        } catch (InvocationTargetException thrown) {
            throw Fault.ofInit(thrown.getCause(), true);
        } catch (InstantiationException | IllegalAccessException | LinkageError refused) {
            throw Fault.ofInit(refused, false);
        }
    }

    // -- calls ------------------------------------------------------------------------------------------------------

    /** What is called: a method, its object, and whether it wants a context. */
    private static final class Target {
        private final Method method;
        private final Object instance;
        private final FunctionContext context;

        Target(Handlers handlers, Method method, Object instance, boolean hasContext) {
            this.method = method;
            this.instance = instance;
            // A public method of a class that is not: the loader of the package has no modules, so nothing forbids it.
            method.setAccessible(true);
            Class<?>[] parameters = method.getParameterTypes();
            Class<?> type = hasContext ? parameters[parameters.length - 1] : null;
            context = new FunctionContext(type, handlers.loader, handlers.logs);
        }

        Object call(Object[] arguments) throws Throwable {
            try {
                return method.invoke(instance, arguments);
            } catch (InvocationTargetException thrown) {
                throw withoutReflection(thrown.getCause());
            }
        }

        /** Take the frames of the call itself off the end of a trace, which AWS's client makes without reflection. */
        private Throwable withoutReflection(Throwable thrown) {
            if (!method.getDeclaringClass().isInterface()) {
                return thrown;
            }
            StackTraceElement[] frames = thrown.getStackTrace();
            for (int place = 0; place < frames.length; place++) {
                if (frames[place].getClassName().equals("lambent.runtime.Handlers$Target")) {
                    int end = place;
                    while (end > 0 && isReflection(frames[end - 1].getClassName())) {
                        end--;
                    }
                    thrown.setStackTrace(Arrays.copyOf(frames, end));
                    break;
                }
            }
            return thrown;
        }

        private static boolean isReflection(String name) {
            return name.startsWith("jdk.internal.reflect.") || name.startsWith("java.lang.reflect.")
                    || name.startsWith("java.lang.invoke.");
        }
    }

    private static Object[] arguments(Object first, Object second, Object third, boolean hasFirst, boolean hasSecond,
            boolean hasThird) {
        Object[] all = new Object[(hasFirst ? 1 : 0) + (hasSecond ? 1 : 0) + (hasThird ? 1 : 0)];
        int place = 0;
        if (hasFirst) {
            all[place++] = first;
        }
        if (hasSecond) {
            all[place++] = second;
        }
        if (hasThird) {
            all[place] = third;
        }
        return all;
    }

    /** Call with the bytes as they are. */
    private static Handler streaming(Target target, boolean hasIn, boolean hasOut, boolean hasContext) {
        return new Handler() {
            @Override
            public Bytes call(Invocation invocation) throws Throwable {
                Bytes out = new Bytes();
                Object in = new ByteArrayInputStream(invocation.event());
                Object context = target.context.of(invocation);
                target.call(arguments(in, out, context, hasIn, hasOut, hasContext));
                if (!hasOut) {
                    out.write(NULL);
                }
                return out;
            }
        };
    }

    /** Call with the event as an object, and make JSON of what comes back. */
    private Handler converting(Target target, Type event, Type answer, boolean hasContext) {
        boolean isVoid = answer == void.class || answer == Void.class;
        Serializer serializer = Serializer.of(loader);
        Codec reader = event == null || serializer != null ? null : Codecs.of(event);
        Codec writer = isVoid || serializer != null ? null : Codecs.of(answer);
        return new Handler() {
            @Override
            public Bytes call(Invocation invocation) throws Throwable {
                Object context = target.context.of(invocation);
                Object given = event == null ? null : read(invocation.event());
                Object returned = target.call(arguments(given, null, context, event != null, false, hasContext));
                Bytes out = new Bytes();
                if (isVoid) {
                    out.write(NULL);
                } else {
                    write(returned, out);
                }
                return out;
            }

            private Object read(byte[] bytes) {
                try {
                    return serializer == null ? new JsonReader(bytes).whole(reader) : serializer.read(bytes, event);
                } catch (Exception | StackOverflowError unreadable) {
                    throw withoutTrace(new RuntimeException("An error occurred during JSON parsing", unreadable));
                }
            }

            private void write(Object value, Bytes out) {
                try {
                    if (serializer == null) {
                        new JsonWriter(out).value(value, writer);
                    } else {
                        serializer.write(value, out, answer);
                    }
                } catch (Exception | StackOverflowError unwritable) {
                    throw withoutTrace(
                            new RuntimeException("An error occurred during JSON serialization of response", unwritable));
                }
            }
        };
    }

    /** The trace of one that was made here is ours alone. */
    private static RuntimeException withoutTrace(RuntimeException thrown) {
        thrown.setStackTrace(new StackTraceElement[0]);
        return thrown;
    }
}
