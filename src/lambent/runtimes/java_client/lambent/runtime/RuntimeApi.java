package lambent.runtime;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/** The Runtime API, over one connection that is kept. The JDK's own HTTP clients take longer to load than a cold start. */
final class RuntimeApi {
    private static final int BUFFER_BYTES = 65536;
    private static final int TOO_LARGE = 413;
    private static final int CAUSE_BYTES_MAX = 1024 * 1024;

    private final String address;
    private final InputStream in;
    private final OutputStream out;

    RuntimeApi(String address) throws IOException {
        this.address = address;
        int colon = address.lastIndexOf(':');
        Socket socket = new Socket();
        socket.setTcpNoDelay(true);
        socket.connect(new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))));
        in = new BufferedInputStream(socket.getInputStream(), BUFFER_BYTES);
        out = socket.getOutputStream();
    }

    Invocation next() throws IOException {
        send("GET", "invocation/next", null, 0, "");
        String requestId = null;
        String arn = null;
        String trace = null;
        String clientContext = null;
        String identity = null;
        String tenantId = null;
        long deadlineMs = 0;
        int length = 0;
        int status = status();
        for (String line = line(); !line.isEmpty(); line = line()) {
            String name = name(line);
            String value = value(line);
            switch (name) {
                case "content-length" -> length = Integer.parseInt(value);
                case "lambda-runtime-aws-request-id" -> requestId = value;
                case "lambda-runtime-invoked-function-arn" -> arn = value;
                case "lambda-runtime-deadline-ms" -> deadlineMs = Long.parseLong(value);
                case "lambda-runtime-trace-id" -> trace = value;
                case "lambda-runtime-client-context" -> clientContext = value;
                case "lambda-runtime-cognito-identity" -> identity = value;
                case "lambda-runtime-aws-tenant-id" -> tenantId = value;
                default -> { }
            }
        }
        byte[] event = in.readNBytes(length);
        if (status != 200 || event.length < length) {
            throw new ApiException("the next invocation was answered with status " + status);
        }
        return new Invocation(requestId, arn, deadlineMs, trace, clientContext, identity, tenantId, event);
    }

    void respond(String requestId, Bytes answer) throws IOException {
        post("invocation/" + requestId + "/response", answer.array(), answer.size(), "");
    }

    void error(String requestId, Fault fault) throws IOException {
        postFault("invocation/" + requestId + "/error", fault);
    }

    void initError(Fault fault) throws IOException {
        postFault("init/error", fault);
    }

    /** Wait where AWS takes its snapshot. Observed: the official client asks behind init, before the first event. */
    void awaitRestore() throws IOException {
        send("GET", "restore/next", null, 0, "");
        if (skipAnswer() != 200) {
            throw new ApiException("the restore was not answered");
        }
    }

    private void postFault(String path, Fault fault) throws IOException {
        Bytes body = fault.body();
        String headers = "Lambda-Runtime-Function-Error-Type: " + fault.kind + "\r\n";
        String cause = fault.traceCause();
        if (cause != null && cause.length() < CAUSE_BYTES_MAX) {
            headers += "Lambda-Runtime-Function-XRay-Error-Cause: " + cause + "\r\n";
        }
        post(path, body.array(), body.size(), headers);
    }

    private void post(String path, byte[] body, int length, String headers) throws IOException {
        send("POST", path, body, length, headers);
        int status = skipAnswer();
        // Too large: the invocation has failed with that already.
        if (status >= 400 && status != TOO_LARGE) {
            throw new ApiException(path + " was answered with status " + status);
        }
    }

    private void send(String method, String path, byte[] body, int length, String headers) throws IOException {
        StringBuilder head = new StringBuilder(256);
        head.append(method).append(" /2018-06-01/runtime/").append(path).append(" HTTP/1.1\r\nHost: ").append(address);
        head.append("\r\nUser-Agent: lambent-java\r\n").append(headers);
        if (body != null) {
            head.append("Content-Type: application/json\r\nContent-Length: ").append(length).append("\r\n");
        }
        byte[] start = head.append("\r\n").toString().getBytes(StandardCharsets.UTF_8);
        if (body != null && length <= BUFFER_BYTES) {
            byte[] both = new byte[start.length + length];
            System.arraycopy(start, 0, both, 0, start.length);
            System.arraycopy(body, 0, both, start.length, length);
            out.write(both);
            return;
        }
        out.write(start);
        if (body != null) {
            out.write(body, 0, length);
        }
    }

    /** Read an answer whose headers and body do not matter, and return its status. */
    private int skipAnswer() throws IOException {
        int status = status();
        int length = 0;
        for (String line = line(); !line.isEmpty(); line = line()) {
            if (name(line).equals("content-length")) {
                length = Integer.parseInt(value(line));
            }
        }
        in.skipNBytes(length);
        return status;
    }

    private int status() throws IOException {
        String line = line();
        int space = line.indexOf(' ');
        return Integer.parseInt(line.substring(space + 1, space + 4));
    }

    private static String name(String line) {
        return line.substring(0, line.indexOf(':')).toLowerCase(java.util.Locale.ROOT);
    }

    private static String value(String line) {
        return line.substring(line.indexOf(':') + 1).trim();
    }

    private String line() throws IOException {
        Bytes line = new Bytes();
        for (int one = in.read(); one != '\n'; one = in.read()) {
            if (one < 0) {
                throw new EOFException("the Runtime API has gone");
            }
            if (one != '\r') {
                line.write(one);
            }
        }
        return line.toString(StandardCharsets.UTF_8);
    }
}
