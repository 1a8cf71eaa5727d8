package lambent.runtime;

import java.io.IOException;

/** The Runtime API does not answer as it should: nothing can be served any more. */
final class ApiException extends IOException {
    private static final long serialVersionUID = 1;

    ApiException(String message) {
        super(message);
    }
}
