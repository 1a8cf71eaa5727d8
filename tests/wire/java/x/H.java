package x;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.util.List;

/** Beans in and out; what it does is in the title. */
public class H implements RequestHandler<H.In, H.Out> {
    public static class In {
        private String title;
        private int n;

        public String getTitle() {
            return title;
        }

        public void setTitle(String title) {
            this.title = title;
        }

        public int getN() {
            return n;
        }

        public void setN(int n) {
            this.n = n;
        }
    }

    public static class Out {
        private final String text;
        private final List<Object> told;

        Out(String text, List<Object> told) {
            this.text = text;
            this.told = told;
        }

        public String getText() {
            return text;
        }

        public List<Object> getTold() {
            return told;
        }
    }

    @Override
    public Out handleRequest(In event, Context context) {
        switch (event.getTitle()) {
            case "fail":
                throw new RuntimeException("boom");
            case "exit":
                System.exit(7);
                break;
            case "print":
                System.out.println("to stdout");
                System.err.println("to stderr");
                context.getLogger().log("logged é 愛 😀", LogLevel.WARN);
                break;
            case "context":
                boolean isSent = context.getClientContext() != null;
                return new Out("context", List.of(context.getAwsRequestId(), context.getInvokedFunctionArn(),
                        context.getFunctionName(), context.getFunctionVersion(), context.getLogGroupName(),
                        context.getMemoryLimitInMB(), context.getRemainingTimeInMillis() > 0,
                        isSent ? context.getClientContext().getCustom() : "none", context.getIdentity() == null));
            default:
                break;
        }
        return new Out(event.getTitle() + " " + event.getN(), null);
    }
}
