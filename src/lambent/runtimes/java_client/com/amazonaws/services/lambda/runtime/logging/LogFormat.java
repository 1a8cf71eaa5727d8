package com.amazonaws.services.lambda.runtime.logging;

import java.util.Locale;

public enum LogFormat {
    JSON,
    TEXT;

    /** Throws IllegalArgumentException for what is none. */
    public static LogFormat fromString(String name) {
        return valueOf(name.toUpperCase(Locale.ROOT));
    }
}
