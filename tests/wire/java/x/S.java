package x;

import com.amazonaws.services.lambda.runtime.Context;
import java.util.Map;

/** A static method. */
public class S {
    public static String handle(Map<String, Object> event, Context context) {
        return context.getFunctionName() + " " + event.get("title") + " " + event.get("n").getClass().getSimpleName();
    }
}
