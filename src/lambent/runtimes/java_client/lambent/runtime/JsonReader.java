package lambent.runtime;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;

/**
 * Reads JSON off bytes.
 *
 * <p>Of the leniencies of AWS's parser it has none: what is not JSON never gets past Invoke. Depth as Jackson has it.
 */
final class JsonReader {
    private static final int DEPTH_MAX = 1000;

    private final byte[] bytes;
    private int place;
    private int depth;
    /** Whether the next member or element is the first of its object or array. */
    private boolean isFirst;

    JsonReader(byte[] bytes) {
        this.bytes = bytes;
    }

    /** Read all of it as one value. */
    Object whole(Codec codec) {
        Object value = value(codec);
        skipSpace();
        if (place < bytes.length) {
            throw wrong("nothing more");
        }
        return value;
    }

    Object value(Codec codec) {
        if (peek() == 'n') {
            literal("null");
            return codec.ofNull();
        }
        return codec.read(this);
    }

    /** Return the first byte of the next value: one of `{["tfn-` and the digits. */
    int peek() {
        skipSpace();
        return place < bytes.length ? bytes[place] : -1;
    }

    /** Whether the next value is `""`, which is read then. */
    boolean isEmptyText() {
        boolean isEmpty = peek() == '"' && place + 1 < bytes.length && bytes[place + 1] == '"';
        place += isEmpty ? 2 : 0;
        return isEmpty;
    }

    // -- objects and arrays -----------------------------------------------------------------------------------------

    void open(char bracket) {
        expect(bracket);
        if (++depth > DEPTH_MAX) {
            throw new IllegalArgumentException(
                    "Document nesting depth (" + depth + ") exceeds the maximum allowed (" + DEPTH_MAX + ")");
        }
        isFirst = true;
    }

    /** Whether another member or element follows; false: the closing bracket has been read. */
    boolean hasNext(char closing) {
        int next = peek();
        if (next == closing) {
            place++;
            depth--;
            isFirst = false;
            return false;
        }
        if (!isFirst) {
            expect(',');
        }
        isFirst = false;
        return true;
    }

    String name() {
        String name = string();
        expect(':');
        return name;
    }

    void skip() {
        switch (peek()) {
            case '{' -> {
                open('{');
                while (hasNext('}')) {
                    name();
                    skip();
                }
            }
            case '[' -> {
                open('[');
                while (hasNext(']')) {
                    skip();
                }
            }
            case '"' -> string();
            case 't' -> literal("true");
            case 'f' -> literal("false");
            case 'n' -> literal("null");
            default -> numberText();
        }
    }

    // -- scalars ----------------------------------------------------------------------------------------------------

    boolean bool() {
        boolean isTrue = peek() == 't';
        literal(isTrue ? "true" : "false");
        return isTrue;
    }

    /** Return what stands for any scalar as text. */
    String text() {
        return switch (peek()) {
            case '"' -> string();
            case 't', 'f' -> String.valueOf(bool());
            default -> numberText();
        };
    }

    Number number() {
        String text = numberText();
        boolean isWhole = text.indexOf('.') < 0 && text.indexOf('e') < 0 && text.indexOf('E') < 0;
        if (!isWhole) {
            return Double.valueOf(text);
        }
        if (text.length() < 19) {
            long number = Long.parseLong(text);
            if (number == (int) number) {
                return (int) number;
            }
            return number;
        }
        BigInteger number = new BigInteger(text);
        if (number.bitLength() < Long.SIZE) {
            return number.longValue();
        }
        return number;
    }

    String numberText() {
        skipSpace();
        int start = place;
        while (place < bytes.length && isOfNumber(bytes[place])) {
            place++;
        }
        if (start == place) {
            throw wrong("a value");
        }
        return new String(bytes, start, place - start, StandardCharsets.ISO_8859_1);
    }

    BigDecimal decimal() {
        return new BigDecimal(text().trim());
    }

    String string() {
        expect('"');
        int start = place;
        while (place < bytes.length) {
            byte one = bytes[place++];
            if (one == '"') {
                return new String(bytes, start, place - 1 - start, StandardCharsets.UTF_8);
            }
            if (one == '\\') {
                place = start;
                return escaped();
            }
        }
        throw wrong("the end of a string");
    }

    private String escaped() {
        StringBuilder text = new StringBuilder();
        int start = place;
        while (place < bytes.length) {
            byte one = bytes[place++];
            if (one != '"' && one != '\\') {
                continue;
            }
            text.append(new String(bytes, start, place - 1 - start, StandardCharsets.UTF_8));
            if (one == '"') {
                return text.toString();
            }
            text.append(escape());
            start = place;
        }
        throw wrong("the end of a string");
    }

    private char escape() {
        byte one = place < bytes.length ? bytes[place++] : 0;
        switch (one) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u':
                if (place + 4 > bytes.length) {
                    throw wrong("four digits");
                }
                place += 4;
                return (char) Integer.parseInt(new String(bytes, place - 4, 4, StandardCharsets.ISO_8859_1), 16);
            default:
                return (char) (one & 0xff);
        }
    }

    // -- bytes ------------------------------------------------------------------------------------------------------

    private void literal(String text) {
        for (int one = 0; one < text.length(); one++) {
            if (place >= bytes.length || bytes[place] != text.charAt(one)) {
                throw wrong(text);
            }
            place++;
        }
    }

    private void expect(char wanted) {
        skipSpace();
        if (place >= bytes.length || bytes[place] != wanted) {
            throw wrong("'" + wanted + "'");
        }
        place++;
    }

    private void skipSpace() {
        while (place < bytes.length && (bytes[place] == ' ' || bytes[place] == '\n' || bytes[place] == '\r' || bytes[place] == '\t')) {
            place++;
        }
    }

    private static boolean isOfNumber(byte one) {
        return (one >= '0' && one <= '9') || one == '-' || one == '+' || one == '.' || one == 'e' || one == 'E';
    }

    /** Return that something else is here than what was wanted. */
    IllegalArgumentException wrong(String wanted) {
        String found = place < bytes.length ? "'" + (char) (bytes[place] & 0xff) + "'" : "the end";
        return new IllegalArgumentException("Expected " + wanted + " and found " + found + " at byte " + place);
    }
}
