package app;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Handlers of every form. */
public class Forms {
    public static class In {
        private String title;
        private int n;
        private In child;
        private List<In> all;

        public String getTitle() {
            return title;
        }

        public void setTitle(String title) {
            this.title = title;
        }

        public int getN() {
            return n;
        }

        public void setN(int n) {
            this.n = n;
        }

        public In getChild() {
            return child;
        }

        public void setChild(In child) {
            this.child = child;
        }

        public List<In> getAll() {
            return all;
        }

        public void setAll(List<In> all) {
            this.all = all;
        }
    }

    public record Pair(String left, List<Integer> right) {
    }

    public static class Bean implements RequestHandler<In, In> {
        @Override
        public In handleRequest(In event, Context context) {
            event.setN(event.getN() + 1);
            return event;
        }
    }

    /** Its types are said further up. */
    abstract static class Listing<T> implements RequestHandler<List<T>, List<T>> {
        @Override
        public List<T> handleRequest(List<T> event, Context context) {
            List<T> all = new ArrayList<>(event);
            all.add(event.get(0));
            return all;
        }
    }

    public static class Beans extends Listing<In> {
        @Override
        public List<In> handleRequest(List<In> event, Context context) {
            event.get(0).setN(7);
            return super.handleRequest(event, context);
        }
    }

    public static class Records implements RequestHandler<Pair, Pair> {
        @Override
        public Pair handleRequest(Pair event, Context context) {
            return new Pair(event.left() + "!", event.right());
        }
    }

    public static class Streams implements RequestStreamHandler {
        @Override
        public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
            in.transferTo(out);
        }
    }

    public static class Texts implements RequestHandler<String, Integer> {
        @Override
        public Integer handleRequest(String event, Context context) {
            return event.length();
        }
    }

    public static class Nothing implements RequestHandler<Object, Void> {
        @Override
        public Void handleRequest(Object event, Context context) {
            return null;
        }
    }

    public static class Raw implements RequestHandler {
        @Override
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class Failing implements RequestHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, Context context) {
            throw new IllegalStateException("boom", new IOException("why"));
        }
    }

    public static class Constructed implements RequestHandler<Object, Object> {
        public Constructed() {
            throw new IllegalStateException("boom");
        }

        @Override
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class Closed implements RequestHandler<Object, Object> {
        Closed() {
        }

        @Override
        public Object handleRequest(Object event, Context context) {
            return event;
        }
    }

    public static class Bottomless implements RequestHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, Context context) {
            return handleRequest(event, context);
        }
    }

    public static class Greedy implements RequestHandler<Object, Object> {
        @Override
        public Object handleRequest(Object event, Context context) {
            List<byte[]> all = new ArrayList<>();
            while (true) {
                all.add(new byte[10_000_000]);
            }
        }
    }

    /** What holds itself. */
    public static class Circle implements RequestHandler<Object, List<Object>> {
        @Override
        public List<Object> handleRequest(Object event, Context context) {
            List<Object> all = new ArrayList<>();
            all.add(all);
            return all;
        }
    }

    public static String ofStatic(Map<String, Object> event, Context context) {
        return "static " + event.get("n") + " " + context.getFunctionName();
    }

    public int ofPrimitive(int n) {
        return n + 1;
    }

    public String ofNothing() {
        return "nothing";
    }

    public String ofContext(Context context) {
        return context.getFunctionName();
    }

    public void ofVoid(Map<String, Object> event) {
        System.out.println("n is " + event.get("n"));
    }

    public void ofIn(InputStream in) throws IOException {
        System.out.println("read " + new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }

    public void ofOut(OutputStream out, Context context) throws IOException {
        out.write("\"out\"".getBytes(StandardCharsets.UTF_8));
    }

    public void ofStreams(InputStream in, OutputStream out) throws IOException {
        in.transferTo(out);
    }

    public static void ofAllStreams(InputStream in, OutputStream out, Context context) throws IOException {
        in.transferTo(out);
    }

    public String ofMany(Map<String, Object> event) {
        return "one";
    }

    public String ofMany(Map<String, Object> event, Context context) {
        return "two";
    }

    public String ofMany(String one, String two, String three) {
        return "three";
    }

    public String ofTwoTexts(String one, String two) {
        return "never";
    }

    public Object ofClientContext(Object event, Context context) {
        boolean isThere = context.getClientContext() != null;
        return isThere
                ? List.of(context.getClientContext().getCustom(), context.getClientContext().getClient().getAppTitle())
                : List.of("none", context.getOfLater(), String.valueOf(context.getTenantId()), context.getIdentity() == null);
    }

    /** What the JVM was started with, and what of ours is in sight. */
    public Object ofJvm(List<String> classes) {
        List<String> seen = new ArrayList<>();
        for (String name : classes) {
            try {
                seen.add(Class.forName(name).getName());
            } catch (ClassNotFoundException hidden) {
                continue;
            }
        }
        return Map.of("heap_mib", Runtime.getRuntime().maxMemory() >> 20, "seen", seen,
                "charset", java.nio.charset.Charset.defaultCharset().name(), "java", Runtime.version().feature(),
                "resource", String.valueOf(Forms.class.getResource("/lambent/runtime/Main.class")),
                "own", System.getProperty("own", ""), "locale", java.util.Locale.getDefault().toString(), "file",
                new java.io.File(System.getenv("LAMBDA_TASK_ROOT"), "é.txt").exists(), "flags",
                java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments());
    }

    /** Where the function is, which files it sees, and whether the JVM has its certificates. */
    public Object ofFiles(List<String> files) throws Exception {
        List<String> there = new ArrayList<>();
        for (String file : files) {
            if (new java.io.File(file.replace("$HOME", System.getProperty("java.home"))).exists()) {
                there.add(file);
            }
        }
        javax.net.ssl.TrustManagerFactory trust = javax.net.ssl.TrustManagerFactory.getInstance("PKIX");
        trust.init((java.security.KeyStore) null);
        int certificates = ((javax.net.ssl.X509TrustManager) trust.getTrustManagers()[0]).getAcceptedIssuers().length;
        return Map.of("there", there, "cwd", System.getProperty("user.dir"), "certificates", certificates,
                "provider", java.security.Security.getProviders()[0].getName());
    }

    /** In which order the class path is searched. */
    public Object ofPlaces(Object event) throws IOException {
        List<String> places = new ArrayList<>();
        for (java.net.URL one : java.util.Collections.list(Forms.class.getClassLoader().getResources("place.txt"))) {
            try (InputStream in = one.openStream()) {
                places.add(new String(in.readAllBytes(), StandardCharsets.UTF_8));
            }
        }
        return places;
    }

    public Object ofLogger(Object event, Context context) {
        LambdaRuntime.getLogger().log("of the runtime\nin two lines");
        context.getLogger().log("bytes".getBytes(StandardCharsets.UTF_8));
        return null;
    }
}
