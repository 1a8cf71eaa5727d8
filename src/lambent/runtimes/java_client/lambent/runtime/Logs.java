package lambent.runtime;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What LambdaLogger writes: text or JSON records, as frames on the telemetry descriptor. */
final class Logs {
    /** As LogLevel of aws-lambda-java-core has them. */
    private static final List<String> LEVELS = List.of("UNDEFINED", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL");
    private static final int FRAME_JSON = 0xa55a0002;
    private static final int FRAME_TEXT = 0xa55a0003;

    private final boolean isJson;
    private final int lowest;
    private final boolean isFramed;
    private final OutputStream out;
    private Invocation invocation;

    Logs(String descriptor) {
        isJson = "JSON".equalsIgnoreCase(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
        String level = System.getenv("AWS_LAMBDA_LOG_LEVEL");
        lowest = level == null ? 0 : Math.max(0, LEVELS.indexOf(level.toUpperCase(java.util.Locale.ROOT)));
        FileDescriptor framed = descriptor.isEmpty() ? null : descriptorOf(Integer.parseInt(descriptor));
        isFramed = framed != null;
        out = new FileOutputStream(isFramed ? framed : FileDescriptor.out);
    }

    void begin(Invocation begun) {
        invocation = begun;
    }

    void failure(Fault fault) {
        log(fault.report(), isJson ? "ERROR" : "UNDEFINED");
    }

    void log(String message, String level) {
        if (isWanted(level)) {
            write((isJson ? record(message, level) : line(message, level)).getBytes(StandardCharsets.UTF_8), level);
        }
    }

    /** Bytes are written as they are, in either format. */
    void log(byte[] message, String level) {
        if (isWanted(level)) {
            write(message, level);
        }
    }

    private boolean isWanted(String level) {
        int rank = LEVELS.indexOf(level);
        return rank <= 0 || rank >= lowest;
    }

    private static String line(String message, String level) {
        return level.equals("UNDEFINED") ? message : "[" + level + "] " + message;
    }

    private String record(String message, String level) {
        Map<String, Object> record = new LinkedHashMap<>();
        // Milliseconds, always three digits.
        String now = Instant.ofEpochMilli(System.currentTimeMillis()).toString();
        record.put("timestamp", now.length() == 20 ? now.substring(0, 19) + ".000Z" : now);
        record.put("message", message);
        record.put("level", level);
        if (invocation != null) {
            record.put("AWSRequestId", invocation.requestId());
            if (invocation.tenantId() != null) {
                record.put("tenantId", invocation.tenantId());
            }
        }
        return JsonWriter.bytesOf(record).toString(StandardCharsets.UTF_8) + "\n";
    }

    private synchronized void write(byte[] message, String level) {
        try {
            if (!isFramed) {
                out.write(message);
                return;
            }
            int type = (isJson ? FRAME_JSON : FRAME_TEXT) | Math.max(0, LEVELS.indexOf(level)) << 2;
            byte[] frame = new byte[16 + message.length];
            put(frame, 0, type, 4);
            put(frame, 4, message.length, 4);
            put(frame, 8, System.currentTimeMillis() * 1000, 8);
            System.arraycopy(message, 0, frame, 16, message.length);
            out.write(frame);
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }

    private static void put(byte[] into, int place, long number, int bytes) {
        for (int one = 0; one < bytes; one++) {
            into[place + one] = (byte) (number >>> 8 * (bytes - 1 - one));
        }
    }

    /** Needs java.io opened to us, as AWS's command line opens it for its client; null where it is not. */
    private static FileDescriptor descriptorOf(int number) {
        try {
            Constructor<FileDescriptor> constructor = FileDescriptor.class.getDeclaredConstructor(int.class);
            constructor.setAccessible(true);
            return constructor.newInstance(number);
        } catch (ReflectiveOperationException | RuntimeException closed) {
            return null;
        }
    }
}
