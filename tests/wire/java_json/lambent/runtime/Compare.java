package lambent.runtime;

import com.amazonaws.services.lambda.runtime.serialization.PojoSerializer;
import com.amazonaws.services.lambda.runtime.serialization.events.LambdaEventSerializers;
import com.amazonaws.services.lambda.runtime.serialization.factories.JacksonFactory;
import java.io.ByteArrayOutputStream;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZonedDateTime;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.UUID;

/** Reads the same JSON by AWS's serialization library and by Lambent's client, writes the same values, and tells what differs. */
public final class Compare {
    private static final String FAILS = "fails";

    private Compare() {
    }

    public enum Color { RED, GREEN }

    public record Pair(String left, int right, List<Bean> beans) {
    }

    /** Properties of many types, seen in many ways. */
    public static class Bean {
        private String text;
        private int number;
        private Boolean flag;
        private double real;
        private List<String> texts;
        private Map<String, Integer> counts;
        private Bean child;
        private Optional<String> maybe = Optional.of("x");
        private String hidden = "h";
        private String URLName;
        public String open;
        public final String fixed = "f";
        private transient int passing = 3;

        public String getText() { return text; }
        public void setText(String value) { text = value; }
        public int getNumber() { return number; }
        public void setNumber(int value) { number = value; }
        public Boolean isFlag() { return flag; }
        void setFlag(Boolean value) { flag = value; }
        public double getReal() { return real; }
        public void setReal(double value) { real = value; }
        public List<String> getTexts() { return texts; }
        public void setTexts(List<String> value) { texts = value; }
        public Map<String, Integer> getCounts() { return counts; }
        private void setCounts(Map<String, Integer> value) { counts = value; }
        public Bean getChild() { return child; }
        public void setChild(Bean value) { child = value; }
        public Optional<String> getMaybe() { return maybe; }
        public void setMaybe(Optional<String> value) { maybe = value; }
        public String getHidden() { return hidden; }
        public String getURLName() { return URLName; }
        public void setURLName(String value) { URLName = value; }
        public int getPassing() { return passing; }
        public boolean isOdd() { return true; }
    }

    /** Dates, numbers and the like. */
    public static class Scalar {
        public Instant instant;
        public LocalDate day;
        public LocalDateTime local;
        public Date date;
        public ZonedDateTime zoned;
        public OffsetDateTime offset;
        public Duration duration;
        public byte[] bytes;
        public BigDecimal decimal;
        public char letter;
        public Color color;
        public UUID uuid;
        public Map<Color, Object> byColor;
        public Set<Long> longs;
        public int[] ints;
        public Object any;
    }

    static class Above {
        public int getA() { return 1; }
    }

    static class Below extends Above {
        public int getB() { return 2; }
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static PojoSerializer<Object> aws(Type type) {
        if (type instanceof Class<?> one && LambdaEventSerializers.isLambdaSupportedEvent(one.getName())) {
            return (PojoSerializer) LambdaEventSerializers.serializerFor(one, Compare.class.getClassLoader());
        }
        return JacksonFactory.getInstance().getSerializer(type);
    }

    private static String byAws(Type type, Object value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        aws(type).toJson(value, out);
        return out.toString(StandardCharsets.UTF_8);
    }

    private static void tell(String what, String aws, String ours) {
        if (!aws.equals(ours)) {
            System.out.println(what + "\n    AWS      " + aws + "\n    Lambent  " + ours);
        }
    }

    /** What was read is written by AWS's library on both sides: only the reading can differ. */
    private static void read(Type type, String json) {
        String aws;
        String ours;
        try {
            aws = byAws(type, aws(type).fromJson(json));
        } catch (RuntimeException refused) {
            aws = FAILS;
        }
        try {
            ours = byAws(type, new JsonReader(json.getBytes(StandardCharsets.UTF_8)).whole(Codecs.of(type)));
        } catch (RuntimeException refused) {
            ours = FAILS;
        }
        tell("read " + type.getTypeName() + " of " + json, aws, ours);
    }

    private static void write(Type type, Object value) {
        String aws;
        String ours;
        try {
            aws = byAws(type, value);
        } catch (RuntimeException refused) {
            aws = FAILS;
        }
        try {
            Bytes out = new Bytes();
            new JsonWriter(out).value(value, Codecs.of(type));
            ours = out.toString(StandardCharsets.UTF_8);
        } catch (RuntimeException refused) {
            ours = FAILS;
        }
        tell("write " + value + " as " + type.getTypeName(), aws, ours);
    }

    /** Compare. Argument: a file of lines, each a class, a tab and JSON. */
    public static void main(String[] arguments) throws Exception {
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] parts = line.split("\t", 2);
            Class<?> type = switch (parts[0]) {
                case "int" -> int.class;
                case "String[]" -> String[].class;
                default -> Class.forName(parts[0]);
            };
            read(type, parts[1]);
        }
        Object[] values = {
            1.0, 1.5f, Double.NaN, Float.POSITIVE_INFINITY, 1e21, Arrays.asList(1, null, "x"), Optional.empty(), Color.RED,
            new Date(5), new Below(), "\u0001\u007f\u2028\n/\ud83d\ude00\ud83d", new Object(), "ab".toCharArray(),
            new BigInteger("123456789012345678901"), new BigDecimal("1E+5"), new Object[] {1, "a", null}, String.class,
            java.net.URI.create("http://a/b"), Locale.US, new byte[] {1, 2}, Map.entry("k", 1), OptionalInt.of(3),
            new Pair("a", 1, null), new Bean(), Instant.ofEpochMilli(1500), LocalDateTime.of(2024, 1, 2, 3, 4),
            LocalDate.of(2024, 1, 2), Duration.ofMillis(1500), UUID.fromString("123e4567-e89b-12d3-a456-426614174000"),
        };
        for (Object value : values) {
            write(Object.class, value);
            write(Map.class, new LinkedHashMap<>(Collections.singletonMap("k", value)));
            write(List.class, Collections.singletonList(value));
        }
        write(Above.class, new Below());
        write(Map.class, Collections.singletonMap(null, 1));
        write(Map.class, Collections.singletonMap("k", null));
        write(Map.class, Collections.singletonMap(Color.RED, 1));
        System.out.println("compared");
    }
}
