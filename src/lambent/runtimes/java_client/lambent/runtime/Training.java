package lambent.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/**
 * A whole life of a function in one JVM, so that an archive holds the classes that it takes: never runs for functions.
 *
 * <p>Its other side is a Runtime API of one thread that ends the JVM behind the second answer.
 */
public final class Training implements InvocationHandler {
    private static final String EVENT =
            "{\"one\":{\"text\":\"a\\u00e9\",\"number\":1.5,\"all\":[{\"n\":1}],\"more\":{\"a\":[true,null]}}}";

    /** The event and the answer. */
    public static class Bean {
        public String text;
        public Double number;
        public List<Bean> all;
        public Map<String, Object> more;
        private int n;

        public int getN() {
            return n;
        }

        public void setN(int n) {
            this.n = n;
        }
    }

    interface Named {
        String name();
    }

    private final ServerSocket listener;

    private Training(ServerSocket listener) {
        this.listener = listener;
    }

    /** Train with an event that is answered and one that fails. Arguments: a folder, and a class that lies in it. */
    public static void main(String[] arguments) throws Exception {
        ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        Training training = new Training(listener);
        Thread other = new Thread() {
            @Override
            public void run() {
                training.serve();
            }
        };
        other.setDaemon(true);
        other.start();
        Named named = (Named) Proxy.newProxyInstance(Training.class.getClassLoader(), new Class<?>[] {Named.class}, training);
        String handler = Training.class.getName() + "::" + named.name();
        new FunctionLoader(arguments[0], arguments[0]).loadClass(arguments[1]);
        Main.run("127.0.0.1:" + listener.getLocalPort(), handler, Training.class.getClassLoader(), new Logs(""));
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) {
        return "handle";
    }

    /** The function. */
    public static Map<String, Bean> handle(Map<String, Bean> event) {
        if (event.isEmpty()) {
            throw new IllegalStateException("training");
        }
        return event;
    }

    private void serve() {
        try (Socket socket = listener.accept()) {
            InputStream in = socket.getInputStream();
            OutputStream out = socket.getOutputStream();
            for (String event : new String[] {EVENT, "{}"}) {
                read(in);
                answer(out, "200 OK", event);
                read(in);
                answer(out, "202 Accepted", "{}");
            }
            System.exit(0);
        } catch (IOException unexpected) {
            System.exit(1);
        }
    }

    private static void read(InputStream in) throws IOException {
        // A request comes in one packet, which is more than enough of a promise here.
        in.read(new byte[65536]);
    }

    private static void answer(OutputStream out, String status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        String head = "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: a\r\n"
                + "Lambda-Runtime-Deadline-Ms: 1\r\nContent-Length: " + bytes.length + "\r\n\r\n";
        out.write(head.getBytes(StandardCharsets.UTF_8));
        out.write(bytes);
    }
}
