package lambent.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.Date;
import java.util.HashMap;
import java.util.Map;

/**
 * Where the classes of aws-lambda-java-events have other names than their events.
 *
 * <p>Observed: aws-lambda-java-serialization 1.4.1, which knows the same by mixins and by a serializer for S3.
 */
final class Events {
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";
    private static final String SNS = EVENTS + "SNSEvent";
    private static final String[] OF_FIELDS = {
        EVENTS + "S3Event", EVENTS + "models.s3.S3EventNotification", "com.amazonaws.services.s3.event.S3EventNotification",
    };

    /** Class, as its name after `EVENTS`, to pairs of a property and its member; a class alone: each member begins with
     * a capital, but for a few. */
    private static final String[][] NAMES = {
        {"SQSEvent", "records", "Records"},
        {"SQSEvent$SQSMessage", "eventSourceArn", "eventSourceARN"},
        {"KinesisEvent", "records", "Records"},
        {"KinesisTimeWindowEvent", "records", "Records", "eventSourceArn", "eventSourceARN"},
        {"DynamodbEvent", "records", "Records"},
        {"DynamodbTimeWindowEvent", "records", "Records", "eventSourceArn", "eventSourceARN"},
        {"DynamodbEvent$DynamodbStreamRecord", "eventSourceArn", "eventSourceARN"},
        {"ScheduledEvent", "detailType", "detail-type"},
        {"CloudFrontEvent", "records", "Records"},
        {"CloudWatchLogsEvent", "awsLogs", "awslogs"},
        {"CodeCommitEvent", "records", "Records"},
        {"CodeCommitEvent$Record", "codeCommit", "codecommit", "eventSourceArn", "eventSourceARN",
            "userIdentityArn", "userIdentityARN"},
        {"CloudFormationCustomResourceEvent", "responseUrl", "ResponseURL"},
        {"ConnectEvent"},
        {"ConnectEvent$Details"},
        {"ConnectEvent$ContactData", "instanceArn", "InstanceARN"},
        {"ConnectEvent$CustomerEndpoint"},
        {"ConnectEvent$SystemEndpoint"},
        {"ConnectEvent$Queue"},
        {"SecretsManagerRotationEvent"},
        {"models.dynamodb.StreamRecord"},
        {"models.dynamodb.AttributeValue"},
    };
    private static final String[] OLDER = {"StreamRecord", "AttributeValue"};

    private static final Map<String, String[]> KNOWN = new HashMap<>();

    static {
        for (String[] row : NAMES) {
            KNOWN.put(EVENTS + row[0], row);
        }
        for (String name : OLDER) {
            // The classes of the first SDK, which events had before version 3.
            KNOWN.put("com.amazonaws.services.dynamodbv2.model." + name, new String[] {name});
        }
    }

    private Events() {
    }

    /** Return the member of the JSON for a property of a class. */
    static String nameOf(Class<?> owner, String property) {
        String name = owner.getName();
        if (!name.startsWith("com.amazonaws.services.")) {
            return property;
        }
        if (name.startsWith(SNS)) {
            return property.equals("SNS") ? "Sns" : capitalized(property);
        }
        if (isOfFields(owner)) {
            return switch (property) {
                case "records" -> "Records";
                case "xAmzId2" -> "x-amz-id-2";
                case "xAmzRequestId" -> "x-amz-request-id";
                default -> property;
            };
        }
        for (Class<?> one = owner; one != null; one = one.getSuperclass()) {
            String[] row = KNOWN.get(one.getName());
            if (row == null) {
                continue;
            }
            for (int place = 1; place < row.length; place += 2) {
                if (row[place].equals(property)) {
                    return row[place + 1];
                }
            }
            if (row.length == 1 || row[0].startsWith("ConnectEvent") || row[0].startsWith("CloudFormation")) {
                return capitalized(property);
            }
        }
        return property;
    }

    private static String capitalized(String name) {
        return Character.toUpperCase(name.charAt(0)) + name.substring(1);
    }

    /** Whether a property is a Date in an event. */
    static boolean isDate(Class<?> owner, Type property) {
        return property == Date.class && (owner.getName().startsWith(EVENTS)
                || owner.getName().startsWith("com.amazonaws.services.dynamodbv2.model.")
                || owner.getName().startsWith("com.amazonaws.services.kinesis.model."));
    }

    /** Whether a class has its values only by its constructor. */
    static boolean isOfFields(Class<?> type) {
        for (String name : OF_FIELDS) {
            if (type.getName().startsWith(name)) {
                return true;
            }
        }
        return false;
    }

    /** Put empty texts and objects where such an object has none, as AWS's reader of S3's events leaves no null. */
    static void complete(Object bean) {
        try {
            for (Field field : bean.getClass().getDeclaredFields()) {
                if (Modifier.isStatic(field.getModifiers()) || field.getType().isPrimitive()) {
                    continue;
                }
                field.setAccessible(true);
                if (field.get(bean) != null) {
                    continue;
                }
                if (field.getType() == String.class) {
                    field.set(bean, "");
                } else if (field.getType() == Long.class) {
                    field.set(bean, 0L);
                } else if (isOfFields(field.getType())) {
                    Object nested = empty(field.getType());
                    complete(nested);
                    field.set(bean, nested);
                }
            }
        } catch (IllegalAccessException impossible) {
            throw new AssertionError(impossible);
        }
    }

    /** Return an object without values of such a class. */
    static Object empty(Class<?> type) {
        Constructor<?> longest = null;
        for (Constructor<?> one : type.getDeclaredConstructors()) {
            if (longest == null || one.getParameterCount() > longest.getParameterCount()) {
                longest = one;
            }
        }
        if (longest == null || Modifier.isAbstract(type.getModifiers())) {
            throw new IllegalArgumentException("Cannot construct instance of `" + type.getName() + "`");
        }
        Class<?>[] types = longest.getParameterTypes();
        Object[] nothing = new Object[types.length];
        for (int place = 0; place < types.length; place++) {
            nothing[place] = Codecs.of(types[place]).ofNull();
        }
        try {
            longest.setAccessible(true);
            return longest.newInstance(nothing);
        } catch (ReflectiveOperationException refused) {
            throw new IllegalArgumentException("Cannot construct instance of `" + type.getName() + "`", refused);
        }
    }
}
