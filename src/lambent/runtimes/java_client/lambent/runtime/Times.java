package lambent.runtime;

import java.lang.reflect.InvocationTargetException;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.Date;
import java.util.List;

/** Dates and times, as Jackson with its modules for them has them; in AWS's own event classes a Date is in seconds. */
final class Times {
    private static final BigDecimal NANOSECONDS = BigDecimal.valueOf(1_000_000_000);

    private Times() {
    }

    static Codec of(Class<?> type) {
        if (type.getName().equals("org.joda.time.DateTime")) {
            return new OfText(type);
        }
        if (Date.class.isAssignableFrom(type) || Calendar.class.isAssignableFrom(type)) {
            return new OfDate(type);
        }
        if (type == LocalDate.class || type == LocalDateTime.class || type == LocalTime.class || type == YearMonth.class) {
            return new OfNumbers(type);
        }
        if (type == Instant.class || type == OffsetDateTime.class || type == ZonedDateTime.class || type == Duration.class) {
            return new OfSeconds(type);
        }
        if (type == Year.class) {
            return new OfYear();
        }
        return new OfText(ZoneId.class.isAssignableFrom(type) && type != ZoneOffset.class ? ZoneId.class : type);
    }

    /** A Date in the classes of events: seconds, with a fraction. Observed: DateModule of AWS's serialization. */
    static final class EventDate extends Codec {
        @Override
        Object read(JsonReader in) {
            double seconds = Double.parseDouble(in.text());
            return seconds == 0 ? null : new Date((long) (seconds * 1000));
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.raw(Double.toString(((Date) value).getTime() / 1000.0));
        }
    }

    /** As Jackson writes a Date that is a key. */
    static String text(Date date) {
        return DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSXXXXX").withZone(ZoneOffset.UTC)
                .format(date.toInstant()).replace("Z", "+00:00");
    }

    private static final class OfDate extends Codec {
        private final Class<?> type;

        OfDate(Class<?> type) {
            this.type = type;
        }

        @Override
        Object read(JsonReader in) {
            if (in.peek() == '[') {
                return Codecs.unwrapped(in, this);
            }
            boolean isText = in.peek() == '"';
            String text = in.text().trim();
            if (text.isEmpty()) {
                return null;
            }
            long milliseconds = isText ? parsed(text) : new BigDecimal(text).longValue();
            if (Calendar.class.isAssignableFrom(type)) {
                Calendar calendar = Calendar.getInstance(java.util.TimeZone.getTimeZone("UTC"));
                calendar.setTimeInMillis(milliseconds);
                return calendar;
            }
            try {
                return type == Date.class ? new Date(milliseconds)
                        : type.getConstructor(long.class).newInstance(milliseconds);
            } catch (ReflectiveOperationException refused) {
                throw new IllegalArgumentException("Cannot construct instance of `" + type.getName() + "`", refused);
            }
        }

        private static long parsed(String text) {
            if (text.length() == 10) {
                return LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant().toEpochMilli();
            }
            if (text.indexOf('T') < 0) {
                // A number as text, or the form of HTTP's headers.
                return text.indexOf(',') < 0 ? Long.parseLong(text)
                        : Instant.from(DateTimeFormatter.RFC_1123_DATE_TIME.parse(text)).toEpochMilli();
            }
            return instant(text).toEpochMilli();
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.raw(Long.toString(value instanceof Calendar one ? one.getTimeInMillis() : ((Date) value).getTime()));
        }
    }

    /** Offsets may be `Z`, `+01:00`, `+0100`, or absent, which is UTC. */
    private static Instant instant(String text) {
        int sign = Math.max(text.lastIndexOf('+'), text.lastIndexOf('-'));
        if (text.endsWith("Z")) {
            return Instant.parse(text);
        }
        if (sign <= text.indexOf('T')) {
            return Instant.parse(text + "Z");
        }
        boolean isShort = text.length() - sign == 5 && text.indexOf(':', sign) < 0;
        String whole = isShort ? text.substring(0, sign + 3) + ":" + text.substring(sign + 3) : text;
        return OffsetDateTime.parse(whole).toInstant();
    }

    private static final class OfSeconds extends Codec {
        private final Class<?> type;

        OfSeconds(Class<?> type) {
            this.type = type;
        }

        @Override
        Object read(JsonReader in) {
            if (in.peek() == '[') {
                return Codecs.unwrapped(in, this);
            }
            boolean isText = in.peek() == '"';
            String text = in.text().trim();
            if (text.isEmpty()) {
                return null;
            }
            if (type == Duration.class) {
                return isText ? Duration.parse(text) : Duration.between(Instant.EPOCH, ofSeconds(text));
            }
            if (!isText || isDigits(text)) {
                return at(ofSeconds(text));
            }
            if (type == ZonedDateTime.class) {
                return ZonedDateTime.parse(text).withZoneSameInstant(ZoneOffset.UTC).withZoneSameLocal(ZoneId.of("UTC"));
            }
            return at(type == Instant.class ? instant(text) : OffsetDateTime.parse(text).toInstant());
        }

        private Object at(Instant instant) {
            return type == Instant.class ? instant
                    : type == OffsetDateTime.class ? instant.atOffset(ZoneOffset.UTC) : instant.atZone(ZoneId.of("UTC"));
        }

        private static boolean isDigits(String text) {
            for (int place = 0; place < text.length(); place++) {
                if (!Character.isDigit(text.charAt(place))) {
                    return false;
                }
            }
            return true;
        }

        private static Instant ofSeconds(String text) {
            BigDecimal exact = new BigDecimal(text);
            long seconds = exact.longValue();
            return Instant.ofEpochSecond(seconds, exact.subtract(BigDecimal.valueOf(seconds)).multiply(NANOSECONDS).longValue());
        }

        @Override
        void write(JsonWriter out, Object value) {
            Instant instant;
            if (value instanceof Duration one) {
                instant = Instant.EPOCH.plus(one);
            } else if (value instanceof OffsetDateTime one) {
                instant = one.toInstant();
            } else {
                instant = value instanceof ZonedDateTime one ? one.toInstant() : (Instant) value;
            }
            BigDecimal seconds = BigDecimal.valueOf(instant.getEpochSecond());
            out.raw(seconds.add(BigDecimal.valueOf(instant.getNano(), 9)).toPlainString());
        }
    }

    private static final class OfNumbers extends Codec {
        private final Class<?> type;

        OfNumbers(Class<?> type) {
            this.type = type;
        }

        @Override
        Object read(JsonReader in) {
            if (in.peek() != '[') {
                String text = in.text().trim();
                if (type == LocalDate.class && text.length() > 10 && text.charAt(10) == 'T') {
                    return text.endsWith("Z") ? instant(text).atOffset(ZoneOffset.UTC).toLocalDate()
                            : LocalDateTime.parse(text).toLocalDate();
                }
                return text.isEmpty() ? null : call(type, "parse", CharSequence.class, text);
            }
            List<Integer> parts = new ArrayList<>();
            in.open('[');
            while (in.hasNext(']')) {
                parts.add(in.decimal().intValueExact());
            }
            while (parts.size() < 7) {
                parts.add(0);
            }
            if (type == LocalTime.class) {
                return LocalTime.of(parts.get(0), parts.get(1), parts.get(2), parts.get(3));
            }
            if (type == YearMonth.class) {
                return YearMonth.of(parts.get(0), parts.get(1));
            }
            LocalDate date = LocalDate.of(parts.get(0), parts.get(1), parts.get(2));
            return type == LocalDate.class ? date
                    : date.atTime(LocalTime.of(parts.get(3), parts.get(4), parts.get(5), parts.get(6)));
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.open('[');
            if (value instanceof YearMonth month) {
                put(out, month.getYear(), month.getMonthValue());
            }
            LocalDate date = value instanceof LocalDateTime both ? both.toLocalDate() : value instanceof LocalDate one ? one : null;
            if (date != null) {
                put(out, date.getYear(), date.getMonthValue(), date.getDayOfMonth());
            }
            LocalTime time = value instanceof LocalDateTime both ? both.toLocalTime() : value instanceof LocalTime one ? one : null;
            if (time != null) {
                put(out, time.getHour(), time.getMinute());
                if (time.getSecond() > 0 || time.getNano() > 0) {
                    put(out, time.getSecond());
                }
                if (time.getNano() > 0) {
                    put(out, time.getNano());
                }
            }
            out.close(']');
        }

        private static void put(JsonWriter out, int... numbers) {
            for (int number : numbers) {
                out.next();
                out.raw(Integer.toString(number));
            }
        }
    }

    private static final class OfYear extends Codec {
        @Override
        Object read(JsonReader in) {
            return Year.parse(in.text().trim());
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.raw(value.toString());
        }
    }

    private static final class OfText extends Codec {
        private final Class<?> type;

        OfText(Class<?> type) {
            this.type = type;
        }

        @Override
        Object read(JsonReader in) {
            String text = in.text().trim();
            if (text.isEmpty()) {
                return null;
            }
            String factory = ZoneId.class.isAssignableFrom(type) ? "of" : "parse";
            boolean isOfText = type.getName().startsWith("org.joda.") || factory.equals("of");
            return call(type, factory, isOfText ? String.class : CharSequence.class, text);
        }

        @Override
        void write(JsonWriter out, Object value) {
            out.string(value.toString());
        }
    }

    private static Object call(Class<?> type, String factory, Class<?> parameter, String text) {
        try {
            return type.getMethod(factory, parameter).invoke(null, text);
        } catch (InvocationTargetException refused) {
            throw new IllegalArgumentException("Not a " + type.getName() + ": \"" + text + "\"", refused.getCause());
        } catch (ReflectiveOperationException absent) {
            throw new IllegalArgumentException("Cannot construct instance of `" + type.getName() + "`", absent);
        }
    }
}
