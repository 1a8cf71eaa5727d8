package x;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.events.APIGatewayProxyRequestEvent;
import com.amazonaws.services.lambda.runtime.events.APIGatewayProxyResponseEvent;
import com.amazonaws.services.lambda.runtime.events.DynamodbEvent;
import com.amazonaws.services.lambda.runtime.events.KinesisEvent;
import com.amazonaws.services.lambda.runtime.events.S3Event;
import com.amazonaws.services.lambda.runtime.events.SNSEvent;
import com.amazonaws.services.lambda.runtime.events.SQSBatchResponse;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import com.amazonaws.services.lambda.runtime.events.ScheduledEvent;
import com.amazonaws.services.lambda.runtime.events.models.s3.S3EventNotification;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** A method for each class of events. */
public class E {
    public static APIGatewayProxyResponseEvent api(APIGatewayProxyRequestEvent event) {
        String body = event.getHttpMethod() + " " + event.getQueryStringParameters().get("q") + " "
                + event.getRequestContext().getIdentity().getSourceIp() + " " + event.getIsBase64Encoded();
        return new APIGatewayProxyResponseEvent().withStatusCode(200).withBody(body).withHeaders(Map.of("A", "b"));
    }

    public static SQSBatchResponse sqs(SQSEvent event, Context context) {
        SQSEvent.SQSMessage message = event.getRecords().get(0);
        String told = message.getBody() + " " + message.getEventSourceArn() + " "
                + message.getMessageAttributes().get("a").getStringValue();
        return new SQSBatchResponse(List.of(new SQSBatchResponse.BatchItemFailure(told)));
    }

    public static List<Object> s3(S3Event event) {
        S3EventNotification.S3EventNotificationRecord record = event.getRecords().get(0);
        return List.of(record.getEventName(), record.getS3().getBucket().getName(), record.getS3().getObject().getUrlDecodedKey(),
                record.getEventTime().getMillis(), record.getS3().getObject().getSizeAsLong(),
                record.getResponseElements().getxAmzId2());
    }

    public static List<Object> sns(SNSEvent event) {
        SNSEvent.SNS sns = event.getRecords().get(0).getSNS();
        return List.of(event.getRecords().get(0).getEventSource(), sns.getMessage(), sns.getTimestamp().getMillis(),
                sns.getMessageAttributes().get("T").getValue());
    }

    public static List<Object> scheduled(ScheduledEvent event) {
        return List.of(event.getDetailType(), event.getTime().getYear(), event.getDetail());
    }

    public static List<Object> dynamodb(DynamodbEvent event) {
        DynamodbEvent.DynamodbStreamRecord record = event.getRecords().get(0);
        return List.of(record.getEventName(), record.getDynamodb().getNewImage().get("Message").getS(),
                record.getDynamodb().getKeys().get("Id").getN(),
                record.getDynamodb().getApproximateCreationDateTime().getTime(), record.getEventSourceARN());
    }

    public static List<Object> kinesis(KinesisEvent event) {
        KinesisEvent.Record record = event.getRecords().get(0).getKinesis();
        return List.of(StandardCharsets.UTF_8.decode(record.getData()).toString(),
                record.getApproximateArrivalTimestamp().getTime(), event.getRecords().get(0).getEventSourceARN());
    }
}
