package lambent.runtime;

import java.nio.charset.StandardCharsets;

/** Writes JSON. Characters stand for themselves up to U+FFFF, as with Jackson, whose depth it has as well. */
final class JsonWriter {
    private static final int DEPTH_MAX = 1000;
    private static final byte[] HEX = "0123456789ABCDEF".getBytes(StandardCharsets.ISO_8859_1);

    private final Bytes out;
    private int depth;
    private boolean isFirst;

    JsonWriter(Bytes out) {
        this.out = out;
    }

    static Bytes bytesOf(Object value) {
        Bytes out = new Bytes();
        new JsonWriter(out).value(value);
        return out;
    }

    /** Write a value as what it is. */
    void value(Object value) {
        value(value, value == null ? null : Codecs.of(value.getClass()));
    }

    /** Write a value as another type, e.g. the one that is declared. */
    void value(Object value, Codec codec) {
        if (value == null) {
            raw("null");
        } else {
            codec.write(this, value);
        }
    }

    void open(char bracket) {
        if (++depth > DEPTH_MAX) {
            throw new IllegalArgumentException(
                    "Document nesting depth (" + depth + ") exceeds the maximum allowed (" + DEPTH_MAX + ")");
        }
        out.write(bracket);
        isFirst = true;
    }

    void close(char bracket) {
        out.write(bracket);
        depth--;
        isFirst = false;
    }

    /** Part an element from the one before. */
    void next() {
        if (!isFirst) {
            out.write(',');
        }
        isFirst = false;
    }

    void name(String name) {
        next();
        string(name);
        out.write(':');
    }

    void raw(String ascii) {
        out.write(ascii.getBytes(StandardCharsets.ISO_8859_1), 0, ascii.length());
    }

    void string(String text) {
        out.write('"');
        int start = 0;
        int length = text.length();
        for (int place = 0; place < length; place++) {
            char one = text.charAt(place);
            if (one >= ' ' && one != '"' && one != '\\' && !Character.isSurrogate(one)) {
                continue;
            }
            plain(text, start, place);
            start = place + 1;
            escape(one);
        }
        plain(text, start, length);
        out.write('"');
    }

    private void plain(String text, int start, int end) {
        if (start < end) {
            byte[] bytes = text.substring(start, end).getBytes(StandardCharsets.UTF_8);
            out.write(bytes, 0, bytes.length);
        }
    }

    private void escape(char one) {
        out.write('\\');
        switch (one) {
            case '\n' -> out.write('n');
            case '\t' -> out.write('t');
            case '\r' -> out.write('r');
            case '\b' -> out.write('b');
            case '\f' -> out.write('f');
            case '"', '\\' -> out.write(one);
            default -> {
                out.write('u');
                for (int shift = 12; shift >= 0; shift -= 4) {
                    out.write(HEX[one >> shift & 15]);
                }
            }
        }
    }
}
