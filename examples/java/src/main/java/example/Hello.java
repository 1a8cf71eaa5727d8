package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;

/** Greets whoever the event names. */
public class Hello implements RequestHandler<Hello.Event, Hello.Greeting> {
    /** Its members are filled from those of the event; others are left out. */
    public static class Event {
        private String name = "world";

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }
    }

    /** What the caller gets, as JSON. */
    public record Greeting(String greeting, String function, String version, String request_id, int memory_mib) {
    }

    @Override
    public Greeting handleRequest(Event event, Context context) {
        System.out.println("about to greet " + event.getName());
        if (event.getName().isEmpty()) {
            throw new IllegalArgumentException("an empty name");
        }
        return new Greeting("Hello, " + event.getName() + "!", context.getFunctionName(), context.getFunctionVersion(),
                context.getAwsRequestId(), context.getMemoryLimitInMB());
    }
}
