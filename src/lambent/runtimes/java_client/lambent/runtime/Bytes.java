package lambent.runtime;

import java.io.ByteArrayOutputStream;

/** Bytes that grow, read without a copy. */
final class Bytes extends ByteArrayOutputStream {
    Bytes() {
        super(1024);
    }

    byte[] array() {
        return buf;
    }
}
