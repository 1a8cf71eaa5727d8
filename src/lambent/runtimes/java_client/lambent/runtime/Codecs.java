package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * The codec of every type.
 *
 * <p>Observed: aws-lambda-java-serialization 1.4.1 and its settings of Jackson; tests/wire/test_java.py compares the two.
 * Annotations of Jackson do nothing, as on AWS, whose client brings a Jackson of its own.
 */
final class Codecs {
    private static final Map<Type, Codec> KNOWN = new ConcurrentHashMap<>();

    private Codecs() {
    }

    static Codec of(Type type) {
        Codec known = KNOWN.get(type);
        if (known != null) {
            return known;
        }
        Codec made = make(type);
        Codec raced = KNOWN.putIfAbsent(type, made);
        return raced == null ? made : raced;
    }

    private static Codec make(Type type) {
        if (type instanceof WildcardType wildcard) {
            return of(wildcard.getUpperBounds()[0]);
        }
        if (type instanceof TypeVariable<?> variable) {
            return of(Types.raw(variable));
        }
        Class<?> raw = Types.raw(type);
        if (raw == Object.class) {
            return new Anything();
        }
        Codec scalar = Scalars.of(raw);
        if (scalar != null) {
            return scalar;
        }
        if (raw.isArray()) {
            return new OfArray(raw.getComponentType());
        }
        if (Map.class.isAssignableFrom(raw)) {
            Type[] types = Types.argumentsOf(type, Map.class);
            return new OfMap(raw, types == null ? Object.class : types[0], types == null ? Object.class : types[1]);
        }
        if (Collection.class.isAssignableFrom(raw)) {
            Type[] types = Types.argumentsOf(type, Collection.class);
            return new OfCollection(raw, types == null ? Object.class : types[0]);
        }
        if (Iterable.class.isAssignableFrom(raw) || Iterator.class.isAssignableFrom(raw)) {
            Type[] types = type instanceof ParameterizedType one ? one.getActualTypeArguments() : null;
            return new OfCollection(raw, types == null || types.length != 1 ? Object.class : types[0]);
        }
        if (raw == Optional.class) {
            return new OfOptional(type instanceof ParameterizedType one ? one.getActualTypeArguments()[0] : Object.class);
        }
        if (raw == OptionalInt.class || raw == OptionalLong.class || raw == OptionalDouble.class) {
            return new OfOptionalNumber(raw);
        }
        if (Map.Entry.class.isAssignableFrom(raw)) {
            return new OfEntry();
        }
        return new Bean(type, raw);
    }

    /** Read one of `[value]` as AWS's settings do for whatever is no array. */
    static Object unwrapped(JsonReader in, Codec codec) {
        in.open('[');
        if (!in.hasNext(']')) {
            return codec.ofNull();
        }
        if (in.peek() == '[') {
            throw in.wrong("a value in one array");
        }
        Object value = in.value(codec);
        if (in.hasNext(']')) {
            throw new IllegalArgumentException("An array of several values where one is wanted");
        }
        return value;
    }

    /** Return an object of a class by its constructor without parameters, whoever may see that. */
    static Object instanceOf(Class<?> type) {
        try {
            Constructor<?> constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor.newInstance();
        } catch (ReflectiveOperationException | RuntimeException refused) {
            throw new IllegalArgumentException("Cannot construct instance of `" + type.getName() + "`", refused);
        }
    }

    /** What has no type of its own: objects are maps, arrays are lists. */
    private static final class Anything extends Codec {
        @Override
        Object read(JsonReader in) {
            switch (in.peek()) {
                case '{':
                    Map<String, Object> members = new LinkedHashMap<>();
                    in.open('{');
                    while (in.hasNext('}')) {
                        String name = in.name();
                        members.put(name, in.value(this));
                    }
                    return members;
                case '[':
                    List<Object> elements = new ArrayList<>();
                    in.open('[');
                    while (in.hasNext(']')) {
                        elements.add(in.value(this));
                    }
                    return elements;
                case '"':
                    return in.string();
                case 't', 'f':
                    return in.bool();
                default:
                    return in.number();
            }
        }

        @Override
        void write(JsonWriter out, Object value) {
            if (value.getClass() == Object.class) {
                out.raw("{}");
            } else {
                out.value(value);
            }
        }
    }

    private static final class OfArray extends Codec {
        private final Class<?> component;
        private final Codec element;

        OfArray(Class<?> component) {
            this.component = component;
            element = of(component);
        }

        @Override
        Object read(JsonReader in) {
            if (in.isEmptyText()) {
                return null;
            }
            List<Object> elements = new ArrayList<>();
            readInto(in, elements, element);
            Object array = Array.newInstance(component, elements.size());
            for (int place = 0; place < elements.size(); place++) {
                Array.set(array, place, elements.get(place));
            }
            return array;
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.open('[');
            int length = Array.getLength(value);
            for (int place = 0; place < length; place++) {
                out.next();
                out.value(Array.get(value, place));
            }
            out.close(']');
        }
    }

    /** Add the elements of an array; anything else is the only element. */
    private static void readInto(JsonReader in, Collection<Object> elements, Codec element) {
        if (in.peek() != '[') {
            elements.add(in.value(element));
            return;
        }
        in.open('[');
        while (in.hasNext(']')) {
            elements.add(in.value(element));
        }
    }

    private static final class OfCollection extends Codec {
        private final Class<?> raw;
        private final Type elementType;
        private Codec element;

        OfCollection(Class<?> raw, Type elementType) {
            this.raw = raw;
            this.elementType = elementType;
        }

        @Override
        @SuppressWarnings("unchecked")
        Object read(JsonReader in) {
            if (element == null) {
                element = of(elementType);
            }
            if (in.isEmptyText()) {
                return null;
            }
            Collection<Object> elements = (Collection<Object>) empty();
            readInto(in, elements, element);
            return raw == Iterator.class ? elements.iterator() : elements;
        }

        private Object empty() {
            if (!raw.isInterface() && !Modifier.isAbstract(raw.getModifiers())) {
                return instanceOf(raw);
            }
            if (raw.isAssignableFrom(ArrayList.class) || raw == Iterator.class) {
                return new ArrayList<>();
            }
            if (raw.isAssignableFrom(HashSet.class)) {
                return new HashSet<>();
            }
            if (SortedSet.class.isAssignableFrom(raw) && raw.isAssignableFrom(TreeSet.class)) {
                return new TreeSet<>();
            }
            if (raw == Queue.class || raw == Deque.class) {
                return new LinkedList<>();
            }
            throw new IllegalArgumentException("Cannot construct instance of `" + raw.getName() + "`");
        }

        @Override
        void write(JsonWriter out, Object value) {
            Iterator<?> elements = value instanceof Iterable<?> all ? all.iterator() : (Iterator<?>) value;
            out.open('[');
            while (elements.hasNext()) {
                out.next();
                out.value(elements.next());
            }
            out.close(']');
        }
    }

    private static final class OfMap extends Codec {
        private final Class<?> raw;
        private final Type keyType;
        private final Type valueType;
        private Codec value;

        OfMap(Class<?> raw, Type keyType, Type valueType) {
            this.raw = raw;
            this.keyType = Types.raw(keyType) == Object.class ? String.class : keyType;
            this.valueType = valueType;
        }

        @Override
        @SuppressWarnings("unchecked")
        Object read(JsonReader in) {
            if (in.peek() == '[') {
                return unwrapped(in, this);
            }
            if (in.isEmptyText()) {
                return null;
            }
            if (value == null) {
                value = of(valueType);
            }
            Map<Object, Object> members = (Map<Object, Object>) empty();
            in.open('{');
            while (in.hasNext('}')) {
                String name = in.name();
                members.put(keyType == String.class ? name : of(keyType).ofKey(name), in.value(value));
            }
            return members;
        }

        @SuppressWarnings({"unchecked", "rawtypes"})
        private Object empty() {
            if (raw == EnumMap.class) {
                return new EnumMap(Types.raw(keyType));
            }
            if (!raw.isInterface() && !Modifier.isAbstract(raw.getModifiers())) {
                return instanceOf(raw);
            }
            if (SortedMap.class.isAssignableFrom(raw) && raw.isAssignableFrom(TreeMap.class)) {
                return new TreeMap<>();
            }
            if (raw == ConcurrentMap.class) {
                return new ConcurrentHashMap<>();
            }
            if (raw.isAssignableFrom(LinkedHashMap.class)) {
                return new LinkedHashMap<>();
            }
            throw new IllegalArgumentException("Cannot construct instance of `" + raw.getName() + "`");
        }

        @Override
        void write(JsonWriter out, Object map) {
            out.open('{');
            for (Map.Entry<?, ?> one : ((Map<?, ?>) map).entrySet()) {
                if (one.getKey() == null) {
                    throw new IllegalArgumentException("Null key for a Map not allowed in JSON");
                }
                if (one.getValue() != null) {
                    out.name(Scalars.keyOf(one.getKey()));
                    out.value(one.getValue());
                }
            }
            out.close('}');
        }
    }

    private static final class OfOptional extends Codec {
        private final Codec content;

        OfOptional(Type content) {
            this.content = of(content);
        }

        @Override
        Object read(JsonReader in) {
            return Optional.ofNullable(in.value(content));
        }

        @Override
        Object ofNull() {
            return Optional.empty();
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.value(((Optional<?>) value).orElse(null));
        }
    }

    private static final class OfOptionalNumber extends Codec {
        private final Class<?> raw;

        OfOptionalNumber(Class<?> raw) {
            this.raw = raw;
        }

        @Override
        Object read(JsonReader in) {
            if (raw == OptionalInt.class) {
                return OptionalInt.of((int) in.value(of(int.class)));
            }
            return raw == OptionalLong.class ? OptionalLong.of((long) in.value(of(long.class)))
                    : OptionalDouble.of((double) in.value(of(double.class)));
        }

        @Override
        Object ofNull() {
            return raw == OptionalInt.class ? OptionalInt.empty()
                    : raw == OptionalLong.class ? OptionalLong.empty() : OptionalDouble.empty();
        }

        @Override
        void write(JsonWriter out, Object value) {
            String text = value.toString();
            // `OptionalInt[3]` or `OptionalInt.empty`.
            out.raw(text.endsWith("]") ? text.substring(text.indexOf('[') + 1, text.length() - 1) : "null");
        }
    }

    private static final class OfEntry extends Codec {
        @Override
        Object read(JsonReader in) {
            in.open('{');
            Object entry = null;
            while (in.hasNext('}')) {
                String name = in.name();
                entry = Map.entry(name, in.value(of(Object.class)));
            }
            return entry;
        }

        @Override
        void write(JsonWriter out, Object value) {
            Map.Entry<?, ?> entry = (Map.Entry<?, ?>) value;
            out.open('{');
            out.name(Scalars.keyOf(entry.getKey()));
            out.value(entry.getValue());
            out.close('}');
        }
    }
}
