/* The function's ILambdaContext and what hangs on it, made of the interfaces in its own Amazon.Lambda.Core. */
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace Lambent.Runtime;

/// <summary>An object of an interface that is known by its names alone: what is not known by name is null or zero.</summary>
public abstract class ByName : DispatchProxy
{
    protected static object Make(Type type, Type proxy) => Create(type, proxy);

    protected override object? Invoke(MethodInfo? method, object?[]? arguments)
    {
        return Answer(method!, arguments ?? Array.Empty<object?>()) ?? Nothing(method!.ReturnType);
    }

    protected abstract object? Answer(MethodInfo method, object?[] arguments);

    private static object? Nothing(Type type)
    {
        return type.IsValueType && type != typeof(void) ? Activator.CreateInstance(type) : null;
    }
}

public class Context : ByName
{
    private Invocation? _invocation;
    private Logs? _logs;
    private object? _serializer;
    private object? _logger;
    private object? _clientContext;
    private object? _identity;

    internal static object Of(Type type, Invocation invocation, Logs logs, object? serializer)
    {
        var made = Make(type, typeof(Context));
        var context = (Context)made;
        context._invocation = invocation;
        context._logs = logs;
        context._serializer = serializer;
        return made;
    }

    protected override object? Answer(MethodInfo method, object?[] arguments)
    {
        var invocation = _invocation!;
        return method.Name switch
        {
            "get_AwsRequestId" => invocation.RequestId,
            "get_ClientContext" => _clientContext ??= ClientContextOf(method.ReturnType, invocation),
            "get_FunctionName" => Variable("AWS_LAMBDA_FUNCTION_NAME"),
            "get_FunctionVersion" => Variable("AWS_LAMBDA_FUNCTION_VERSION"),
            "get_Identity" => _identity ??= IdentityOf(method.ReturnType, invocation),
            "get_InvokedFunctionArn" => invocation.Header("Lambda-Runtime-Invoked-Function-Arn"),
            "get_Logger" => _logger ??= Logger.Of(method.ReturnType, _logs!),
            "get_LogGroupName" => Variable("AWS_LAMBDA_LOG_GROUP_NAME"),
            "get_LogStreamName" => Variable("AWS_LAMBDA_LOG_STREAM_NAME"),
            "get_MemoryLimitInMB" => MemoryLimitInMB(),
            "get_RemainingTime" => RemainingTime(invocation),
            "get_Serializer" => _serializer,
            "get_TenantId" => invocation.Header("Lambda-Runtime-Aws-Tenant-Id"),
            "get_TraceId" => invocation.TraceId,
            _ => null,
        };
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name);

    private static int MemoryLimitInMB()
    {
        return int.TryParse(
            Variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            ? size
            : 0;
    }

    private static TimeSpan RemainingTime(Invocation invocation)
    {
        long.TryParse(
            invocation.Header("Lambda-Runtime-Deadline-Ms"), NumberStyles.None, CultureInfo.InvariantCulture, out var deadline);
        return DateTimeOffset.FromUnixTimeMilliseconds(deadline) - DateTimeOffset.UtcNow;
    }

    /// <summary>Never null, but all of its members are where the caller sent none.</summary>
    private static object ClientContextOf(Type type, Invocation invocation)
    {
        var members = new Dictionary<string, object?>();
        if (Sent(invocation, "Lambda-Runtime-Client-Context") is { } sent)
        {
            if (Member(sent, "client") is { } client && type.GetProperty("Client") is { } property)
            {
                members["Client"] = Members.Of(property.PropertyType, new Dictionary<string, object?>
                {
                    ["AppPackageName"] = Text(client, "app_package_name"),
                    ["AppTitle"] = Text(client, "app_title"),
                    ["AppVersionCode"] = Text(client, "app_version_code"),
                    ["AppVersionName"] = Text(client, "app_version_name"),
                    ["InstallationId"] = Text(client, "installation_id"),
                });
            }
            members["Custom"] = Texts(sent, "custom");
            members["Environment"] = Texts(sent, "env");
        }
        return Members.Of(type, members);
    }

    private static object IdentityOf(Type type, Invocation invocation)
    {
        var members = new Dictionary<string, object?>();
        if (Sent(invocation, "Lambda-Runtime-Cognito-Identity") is { } sent)
        {
            members["IdentityId"] = Text(sent, "cognitoIdentityId");
            members["IdentityPoolId"] = Text(sent, "cognitoIdentityPoolId");
        }
        return Members.Of(type, members);
    }

    private static JsonElement? Sent(Invocation invocation, string header)
    {
        var text = invocation.Header(header);
        return string.IsNullOrWhiteSpace(text) ? null : JsonDocument.Parse(text).RootElement;
    }

    private static JsonElement? Member(JsonElement json, string name)
    {
        return json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var found)
            && found.ValueKind == JsonValueKind.Object
            ? found
            : null;
    }

    private static string? Text(JsonElement json, string name)
    {
        return json.TryGetProperty(name, out var found) ? TextOf(found) : null;
    }

    private static Dictionary<string, string?>? Texts(JsonElement json, string name)
    {
        if (Member(json, name) is not { } found)
        {
            return null;
        }
        var texts = new Dictionary<string, string?>();
        foreach (var member in found.EnumerateObject())
        {
            texts[member.Name] = TextOf(member.Value);
        }
        return texts;
    }

    private static string? TextOf(JsonElement value)
    {
        return value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Null => null,
            _ => value.GetRawText(),
        };
    }
}

/// <summary>An object of an interface that has properties only.</summary>
public class Members : ByName
{
    private Dictionary<string, object?>? _values;

    internal static object Of(Type type, Dictionary<string, object?> values)
    {
        var made = Make(type, typeof(Members));
        ((Members)made)._values = values;
        return made;
    }

    protected override object? Answer(MethodInfo method, object?[] arguments)
    {
        return method.Name.StartsWith("get_", StringComparison.Ordinal)
            && _values!.TryGetValue(method.Name.Substring(4), out var value)
            ? value
            : null;
    }
}

/// <summary>ILambdaLogger, with all that newer versions of it have: levels, exceptions, templates.</summary>
public class Logger : ByName
{
    private Logs? _logs;

    internal static object Of(Type type, Logs logs)
    {
        var made = Make(type, typeof(Logger));
        ((Logger)made)._logs = logs;
        return made;
    }

    protected override object? Answer(MethodInfo method, object?[] arguments)
    {
        if (method.Name == "Log" && arguments.Length == 1)
        {
            _logs!.WriteText(arguments[0] as string);
            return null;
        }
        // LogLine, or LogInformation and its like.
        var level = method.Name switch
        {
            "LogLine" => nameof(Level.Information),
            var name when name.StartsWith("Log", StringComparison.Ordinal) => name.Substring(3),
            _ => "",
        };
        string? message = null;
        object?[]? values = null;
        Exception? error = null;
        var taken = method.GetParameters();
        for (var index = 0; index < taken.Length; index++)
        {
            switch (arguments[index])
            {
                case Enum given:
                    level = given.ToString();
                    break;
                case string text when taken[index].Name == "level":
                    level = text;
                    break;
                case string text:
                    message = text;
                    break;
                case Exception given:
                    error = given;
                    break;
                case object?[] given:
                    values = given;
                    break;
            }
        }
        _logs!.Write(Logs.LevelOf(level), level, message, values, error);
        return null;
    }
}
