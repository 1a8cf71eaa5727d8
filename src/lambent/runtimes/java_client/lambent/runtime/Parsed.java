package lambent.runtime;

import java.io.File;
import java.math.BigDecimal;
import java.net.InetAddress;
import java.net.MalformedURLException;
import java.net.URI;
import java.net.URL;
import java.net.UnknownHostException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.util.Currency;
import java.util.Locale;
import java.util.TimeZone;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/** Types of the JDK whose JSON is their text. */
final class Parsed extends Codec {
    private static final Class<?>[] TYPES = {
        UUID.class, URI.class, URL.class, File.class, Path.class, Locale.class, Currency.class, Charset.class, Pattern.class,
        TimeZone.class, InetAddress.class, Class.class, AtomicBoolean.class,
    };

    private final Class<?> type;

    Parsed(Class<?> type) {
        this.type = type;
    }

    static boolean isParsed(Class<?> type) {
        for (Class<?> one : TYPES) {
            if (one.isAssignableFrom(type)) {
                return true;
            }
        }
        return false;
    }

    /** Return a number of one of the less usual classes. */
    static Object number(Class<?> type, BigDecimal exact) {
        if (type == AtomicInteger.class) {
            return new AtomicInteger(exact.intValueExact());
        }
        if (type == AtomicLong.class) {
            return new AtomicLong(exact.longValueExact());
        }
        throw new IllegalArgumentException("Cannot construct instance of `" + type.getName() + "`");
    }

    @Override
    Object read(JsonReader in) {
        return ofKey(in.text());
    }

    @Override
    Object ofKey(String text) {
        try {
            if (CharSequence.class.isAssignableFrom(type)) {
                return type.getConstructor(String.class).newInstance(text);
            }
            if (text.isEmpty() && type != File.class && type != Locale.class && type != URI.class) {
                return null;
            }
            if (type == UUID.class) {
                return UUID.fromString(text);
            } else if (type == URI.class) {
                return URI.create(text);
            } else if (type == URL.class) {
                return new URL(text);
            } else if (type == File.class) {
                return new File(text);
            } else if (type == Path.class) {
                return text.startsWith("file:") ? Path.of(URI.create(text)) : Path.of(text);
            } else if (type == Locale.class) {
                return Locale.forLanguageTag(text.replace('_', '-'));
            } else if (type == Currency.class) {
                return Currency.getInstance(text);
            } else if (type == Charset.class) {
                return Charset.forName(text);
            } else if (type == Pattern.class) {
                return Pattern.compile(text);
            } else if (type == TimeZone.class) {
                return TimeZone.getTimeZone(text);
            } else if (type == InetAddress.class) {
                return InetAddress.getByName(text);
            } else if (type == AtomicBoolean.class) {
                return new AtomicBoolean(Boolean.parseBoolean(text));
            }
        } catch (ReflectiveOperationException | MalformedURLException | UnknownHostException refused) {
            throw new IllegalArgumentException("Not a " + type.getName() + ": \"" + text + "\"", refused);
        }
        throw new IllegalArgumentException("Cannot construct instance of `" + type.getName() + "`");
    }

    @Override
    void write(JsonWriter out, Object value) {
        if (value instanceof AtomicBoolean) {
            out.raw(value.toString());
        } else if (value instanceof Path path) {
            out.string(path.toUri().toString());
        } else if (value instanceof File file) {
            out.string(file.getAbsolutePath());
        } else if (value instanceof Locale locale) {
            out.string(locale.toString());
        } else if (value instanceof TimeZone zone) {
            out.string(zone.getID());
        } else if (value instanceof InetAddress address) {
            out.string(address.getHostAddress());
        } else if (value instanceof Class<?> one) {
            out.string(one.getName());
        } else {
            out.string(value.toString());
        }
    }
}
