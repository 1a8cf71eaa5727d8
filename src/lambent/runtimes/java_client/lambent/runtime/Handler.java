package lambent.runtime;

/** The function, ready to be called. */
interface Handler {
    /** Run one invocation and return the answer. Throws what the function throws. */
    Bytes call(Invocation invocation) throws Throwable;
}
