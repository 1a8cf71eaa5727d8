package lambent.runtime;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Why a function could not be loaded, or what it threw: the body that AWS's client posts, and what it logs. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1;

    static final String BAD_FUNCTION = "Runtime.BadFunctionCode";
    static final String USER_EXCEPTION = "Runtime.UserException";

    /** The error type of the header. */
    final String kind;
    /** Whether nothing should run in this JVM afterwards. */
    final boolean isFatal;
    private final String message;
    private final String type;
    private final String trace;
    private final transient Throwable thrown;

    private Fault(String kind, String message, String type, String trace, boolean isFatal, Throwable thrown) {
        super(message, null, false, false);
        this.kind = kind;
        this.message = message;
        this.type = type;
        this.trace = trace;
        this.isFatal = isFatal;
        this.thrown = thrown;
    }

    /** Something is wrong with the function, and no class stands for it. */
    static Fault of(String message) {
        return new Fault(BAD_FUNCTION, message, null, null, false, null);
    }

    /** The same, where there is an exception; the body has no trace then. */
    static Fault of(String message, Throwable thrown, boolean isFatal) {
        return new Fault(BAD_FUNCTION, message, thrown.getClass().getName(), print(withoutUs(thrown)), isFatal, null);
    }

    /** A class could not be loaded, for what it is and not for being absent. */
    static Fault ofLoading(String className, Throwable thrown) {
        String told = thrown.getMessage() == null ? "" : ": " + thrown.getMessage();
        return of("Error loading class " + className + told, thrown, true);
    }

    /** A constructor or method of the function threw while it was loaded. */
    static Fault ofInit(Throwable thrown, boolean isFatal) {
        return of(messageOf(thrown), thrown, isFatal);
    }

    /** The function threw while it ran. */
    static Fault ofFunction(Throwable thrown) {
        withoutUs(thrown);
        String type = thrown.getClass().getName();
        return new Fault(USER_EXCEPTION, messageOf(thrown), type, print(thrown), false, thrown);
    }

    /** Members in the order of the official client, which leaves out what is null. */
    Bytes body() {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("errorMessage", message);
        if (type != null) {
            body.put("errorType", type);
        }
        if (thrown != null) {
            List<String> frames = new ArrayList<>();
            for (StackTraceElement frame : thrown.getStackTrace()) {
                frames.add(frame.toString());
            }
            body.put("stackTrace", frames);
        }
        return JsonWriter.bytesOf(body);
    }

    /** What X-Ray gets to see, in one line; null where the function did not run. */
    String traceCause() {
        if (thrown == null) {
            return null;
        }
        List<Object> stack = new ArrayList<>();
        Set<String> paths = new LinkedHashSet<>();
        for (StackTraceElement frame : thrown.getStackTrace()) {
            String path = fileOf(frame);
            Map<String, Object> element = new LinkedHashMap<>();
            element.put("label", frame.getMethodName());
            element.put("path", path);
            element.put("line", frame.getLineNumber());
            stack.add(element);
            paths.add(path);
        }
        Map<String, Object> exception = new LinkedHashMap<>();
        exception.put("message", thrown.getMessage());
        exception.put("type", type);
        exception.put("stack", stack);
        Map<String, Object> cause = new LinkedHashMap<>();
        cause.put("working_directory", System.getProperty("user.dir"));
        cause.put("exceptions", List.of(exception));
        cause.put("paths", paths);
        return JsonWriter.bytesOf(cause).toString(java.nio.charset.StandardCharsets.UTF_8);
    }

    /** What the log gets. */
    String report() {
        return type == null ? message + "\n" : message + ": " + type + "\n" + trace + "\n";
    }

    private static String messageOf(Throwable thrown) {
        String told = thrown.getLocalizedMessage();
        return told == null ? thrown.getClass().getName() : told;
    }

    private static String fileOf(StackTraceElement frame) {
        if (frame.getFileName() != null) {
            return frame.getFileName();
        }
        String name = frame.getClassName();
        return name.substring(name.lastIndexOf('.') + 1) + ".java";
    }

    private static String print(Throwable thrown) {
        StringWriter text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    /** Cut our frames off a trace, its causes' and those of what was suppressed. */
    private static Throwable withoutUs(Throwable thrown) {
        cut(thrown, Collections.newSetFromMap(new IdentityHashMap<>()));
        return thrown;
    }

    private static void cut(Throwable thrown, Set<Throwable> seen) {
        if (thrown == null || !seen.add(thrown)) {
            return;
        }
        StackTraceElement[] frames = thrown.getStackTrace();
        for (int place = 0; place < frames.length; place++) {
            if (frames[place].getClassName().startsWith("lambent.runtime.")) {
                thrown.setStackTrace(Arrays.copyOf(frames, place));
                break;
            }
        }
        cut(thrown.getCause(), seen);
        for (Throwable suppressed : thrown.getSuppressed()) {
            cut(suppressed, seen);
        }
    }
}
