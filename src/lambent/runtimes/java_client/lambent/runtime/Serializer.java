package lambent.runtime;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.util.Iterator;
import java.util.ServiceLoader;

/** The function's own way from JSON and back, where it brings one. Documented: developer guide, custom serialization. */
final class Serializer {
    private static final String SERVICE = "com.amazonaws.services.lambda.runtime.CustomPojoSerializer";

    private final Object instance;
    private final Method fromJson;
    private final Method toJson;

    private Serializer(Object instance, Method fromJson, Method toJson) {
        this.instance = instance;
        this.fromJson = fromJson;
        this.toJson = toJson;
    }

    /** Return the one of the function, null where it has none. */
    static Serializer of(ClassLoader loader) {
        if (loader.getResource("META-INF/services/" + SERVICE) == null) {
            return null;
        }
        try {
            Class<?> type = Class.forName(SERVICE, true, loader);
            Iterator<?> found = ServiceLoader.load(type, loader).iterator();
            Object instance = found.next();
            if (found.hasNext()) {
                throw Fault.of("Too many serializers provided inside the META-INF/services folder, only one is allowed");
            }
            Method reading = type.getMethod("fromJson", InputStream.class, Type.class);
            Method writing = type.getMethod("toJson", Object.class, OutputStream.class, Type.class);
            return new Serializer(instance, reading, writing);
        } catch (ReflectiveOperationException | java.util.ServiceConfigurationError unusable) {
            throw Fault.ofInit(unusable, true);
        }
    }

    Object read(byte[] event, Type type) throws Exception {
        return call(fromJson, new ByteArrayInputStream(event), type);
    }

    void write(Object value, OutputStream out, Type type) throws Exception {
        call(toJson, value, out, type);
    }

    private Object call(Method method, Object... arguments) throws Exception {
        try {
            return method.invoke(instance, arguments);
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof Exception cause) {
                throw cause;
            }
            throw thrown;
        }
    }
}
