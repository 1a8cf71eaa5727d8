package lambent.runtime;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.Map;

/** Types whose JSON is a text, a number or true or false; what has to do with time is in `Times`. */
final class Scalars {
    private static final Map<Class<?>, Codec> KNOWN = new HashMap<>();

    static {
        for (Class<?> type : new Class<?>[] {boolean.class, Boolean.class}) {
            KNOWN.put(type, new OfBoolean(type.isPrimitive()));
        }
        Class<?>[] numbers = {
            byte.class, Byte.class, short.class, Short.class, int.class, Integer.class, long.class, Long.class,
            float.class, Float.class, double.class, Double.class, BigInteger.class, BigDecimal.class, Number.class,
        };
        for (Class<?> type : numbers) {
            KNOWN.put(type, new OfNumber(type));
        }
        KNOWN.put(String.class, new OfText());
        KNOWN.put(CharSequence.class, new OfText());
        KNOWN.put(char.class, new OfCharacter(true));
        KNOWN.put(Character.class, new OfCharacter(false));
        KNOWN.put(byte[].class, new OfBytes(false));
    }

    private Scalars() {
    }

    /** Return the codec of a class, null where it is no scalar. */
    static Codec of(Class<?> type) {
        Codec known = KNOWN.get(type);
        if (known != null) {
            return known;
        }
        if (type.isEnum() || (type.getSuperclass() != null && type.getSuperclass().isEnum())) {
            return new OfEnum(type.isEnum() ? type : type.getSuperclass());
        }
        if (type == char[].class) {
            return new OfCharacters();
        }
        if (ByteBuffer.class.isAssignableFrom(type)) {
            return new OfBytes(true);
        }
        if (Number.class.isAssignableFrom(type)) {
            return new OfNumber(type);
        }
        if (CharSequence.class.isAssignableFrom(type) || Parsed.isParsed(type)) {
            return new Parsed(type);
        }
        String name = type.getName();
        if (Date.class.isAssignableFrom(type) || name.startsWith("java.time.") || name.equals("org.joda.time.DateTime")
                || java.util.Calendar.class.isAssignableFrom(type)) {
            return Times.of(type);
        }
        return null;
    }

    /** Return the name of a member for a key of a map. */
    static String keyOf(Object key) {
        if (key instanceof Enum<?> one) {
            return one.name();
        }
        if (key instanceof Class<?> one) {
            return one.getName();
        }
        return key instanceof Date date ? Times.text(date) : key.toString();
    }

    private static final class OfText extends Codec {
        @Override
        Object read(JsonReader in) {
            return in.peek() == '[' ? Codecs.unwrapped(in, this) : in.text();
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.string(value.toString());
        }

        @Override
        Object ofKey(String key) {
            return key;
        }
    }

    private static final class OfBoolean extends Codec {
        private final boolean isPrimitive;

        OfBoolean(boolean isPrimitive) {
            this.isPrimitive = isPrimitive;
        }

        @Override
        Object read(JsonReader in) {
            switch (in.peek()) {
                case '[':
                    return Codecs.unwrapped(in, this);
                case 't', 'f':
                    return in.bool();
                case '"':
                    String text = in.string().trim();
                    if (text.isEmpty()) {
                        return ofNull();
                    }
                    if (text.equalsIgnoreCase("true") || text.equalsIgnoreCase("false")) {
                        return Boolean.valueOf(text);
                    }
                    throw new IllegalArgumentException("Not a boolean: \"" + text + "\"");
                default:
                    return in.decimal().signum() != 0;
            }
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.raw(value.toString());
        }

        @Override
        Object ofNull() {
            return isPrimitive ? Boolean.FALSE : null;
        }
    }

    private static final class OfNumber extends Codec {
        private final Class<?> type;

        OfNumber(Class<?> type) {
            this.type = type;
        }

        @Override
        Object read(JsonReader in) {
            int next = in.peek();
            if (next == '[') {
                return Codecs.unwrapped(in, this);
            }
            if (next == 't' || next == 'f') {
                throw in.wrong("a number");
            }
            if (type == Number.class && next != '"') {
                return in.number();
            }
            String text = in.text().trim();
            return text.isEmpty() ? ofNull() : number(text);
        }

        private Object number(String text) {
            if (type == double.class || type == Double.class) {
                return Double.valueOf(text);
            }
            if (type == float.class || type == Float.class) {
                return Float.valueOf(text);
            }
            BigDecimal exact = new BigDecimal(text);
            if (type == BigDecimal.class) {
                return exact;
            }
            // What is behind the point is dropped, as by AWS's settings; too much is refused.
            BigInteger whole = exact.toBigInteger();
            if (type == BigInteger.class) {
                return whole;
            }
            if (type == long.class || type == Long.class) {
                return whole.longValueExact();
            }
            if (type == int.class || type == Integer.class) {
                return whole.intValueExact();
            }
            if (type == short.class || type == Short.class) {
                return whole.shortValueExact();
            }
            if (type == byte.class || type == Byte.class) {
                // Jackson takes unsigned ones as well.
                int value = whole.intValueExact();
                if (value < Byte.MIN_VALUE || value > 255) {
                    throw new ArithmeticException("byte out of range: " + text);
                }
                return (byte) value;
            }
            return type == Number.class ? (Number) new JsonReader(text.getBytes()).number() : Parsed.number(type, exact);
        }

        @Override
        void write(JsonWriter out, Object value) {
            boolean isOdd = value instanceof Double one && !Double.isFinite(one)
                    || value instanceof Float other && !Float.isFinite(other);
            if (isOdd) {
                out.string(value.toString());
            } else {
                out.raw(value.toString());
            }
        }

        @Override
        Object ofNull() {
            return type.isPrimitive() ? number("0") : null;
        }

        @Override
        Object ofKey(String key) {
            return number(key);
        }
    }

    private static final class OfCharacter extends Codec {
        private final boolean isPrimitive;

        OfCharacter(boolean isPrimitive) {
            this.isPrimitive = isPrimitive;
        }

        @Override
        Object read(JsonReader in) {
            if (in.peek() != '"') {
                return (char) in.decimal().intValueExact();
            }
            String text = in.string();
            if (text.isEmpty()) {
                return ofNull();
            }
            if (text.length() > 1) {
                throw new IllegalArgumentException("Not a character: \"" + text + "\"");
            }
            return text.charAt(0);
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.string(value.toString());
        }

        @Override
        Object ofNull() {
            return isPrimitive ? (Character) '\0' : null;
        }
    }

    private static final class OfCharacters extends Codec {
        @Override
        Object read(JsonReader in) {
            return in.text().toCharArray();
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.string(new String((char[]) value));
        }
    }

    private static final class OfBytes extends Codec {
        private final boolean isBuffer;

        OfBytes(boolean isBuffer) {
            this.isBuffer = isBuffer;
        }

        @Override
        Object read(JsonReader in) {
            byte[] bytes;
            if (in.peek() == '[') {
                Bytes read = new Bytes();
                in.open('[');
                while (in.hasNext(']')) {
                    read.write(in.decimal().intValueExact());
                }
                bytes = read.toByteArray();
            } else {
                bytes = Base64.getMimeDecoder().decode(in.string());
            }
            return isBuffer ? ByteBuffer.wrap(bytes) : bytes;
        }

        @Override
        void write(JsonWriter out, Object value) {
            ByteBuffer buffer = isBuffer ? ((ByteBuffer) value).duplicate() : ByteBuffer.wrap((byte[]) value);
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            out.string(Base64.getEncoder().encodeToString(bytes));
        }
    }

    private static final class OfEnum extends Codec {
        private final Object[] constants;

        OfEnum(Class<?> type) {
            constants = type.getEnumConstants();
        }

        @Override
        Object read(JsonReader in) {
            if (in.peek() == '[') {
                return Codecs.unwrapped(in, this);
            }
            if (in.peek() == '"') {
                return ofKey(in.string().trim());
            }
            int place = in.decimal().intValueExact();
            return place >= 0 && place < constants.length ? constants[place] : null;
        }

        /** One that is not known is null. */
        @Override
        Object ofKey(String name) {
            for (Object constant : constants) {
                if (((Enum<?>) constant).name().equals(name)) {
                    return constant;
                }
            }
            return null;
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.string(((Enum<?>) value).name());
        }
    }
}
