package com.amazonaws.services.lambda.runtime.logging;

import java.util.Locale;

public enum LogLevel {
    UNDEFINED,
    TRACE,
    DEBUG,
    INFO,
    WARN,
    ERROR,
    FATAL;

    /** Throws IllegalArgumentException for what is none. */
    public static LogLevel fromString(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }
}
