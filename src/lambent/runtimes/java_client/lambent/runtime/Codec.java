package lambent.runtime;

/** From JSON to values of one type, and back. */
abstract class Codec {
    /** Read one value. Throws IllegalArgumentException where what is there cannot become one. */
    abstract Object read(JsonReader in);

    /** Write one value, which is not null. */
    abstract void write(JsonWriter out, Object value);

    /** What null is read as. */
    Object ofNull() {
        return null;
    }

    /** The key of an object as a value of this type. */
    Object ofKey(String key) {
        return new JsonReader(JsonWriter.bytesOf(key).toByteArray()).whole(this);
    }
}
