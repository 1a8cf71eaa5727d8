/*
 * A stand-in for the library Amazon.Lambda.Core, which no index of ours carries: its public names, as functions use them.
 *
 * What functions and our client see of it is written from its documentation; of its own it does nothing.
 */
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Threading.Tasks;

namespace Amazon.Lambda.Core;

public interface ILambdaContext
{
    string AwsRequestId { get; }
    IClientContext ClientContext { get; }
    string FunctionName { get; }
    string FunctionVersion { get; }
    ICognitoIdentity Identity { get; }
    string InvokedFunctionArn { get; }
    ILambdaLogger Logger { get; }
    string LogGroupName { get; }
    string LogStreamName { get; }
    int MemoryLimitInMB { get; }
    TimeSpan RemainingTime { get; }
    string TraceId => "";
    string TenantId => "";
}

public interface IClientContext
{
    IDictionary<string, string> Environment { get; }
    IClientApplication Client { get; }
    IDictionary<string, string> Custom { get; }
}

public interface IClientApplication
{
    string AppPackageName { get; }
    string AppTitle { get; }
    string AppVersionCode { get; }
    string AppVersionName { get; }
    string InstallationId { get; }
}

public interface ICognitoIdentity
{
    string IdentityId { get; }
    string IdentityPoolId { get; }
}

public enum LogLevel
{
    Trace,
    Debug,
    Information,
    Warning,
    Error,
    Critical,
}

public interface ILambdaLogger
{
    void Log(string message);
    void LogLine(string message);
    void Log(string level, string message) => LogLine(message);
    void Log(LogLevel level, string message) => Log(level.ToString(), message);
    void LogDebug(string message) => Log(LogLevel.Debug, message);
    void LogInformation(string message) => Log(LogLevel.Information, message);
    void LogWarning(string message) => Log(LogLevel.Warning, message);
    void LogError(string message) => Log(LogLevel.Error, message);
    void Log(string level, string message, params object[] args) => Log(level, message);
    void Log(string level, Exception exception, string message, params object[] args) => Log(level, message);
    void LogInformation(string message, params object[] args) => Log("Information", message, args);
    void LogError(Exception exception, string message, params object[] args) => Log("Error", exception, message, args);
}

public static class LambdaLogger
{
    private static Action<string> _loggingAction = Console.WriteLine;

    private static Action<string, string, object[]> _loggingWithLevelAction =
        (level, message, _) => Console.WriteLine(message);

    public static void Log(string message) => _loggingAction(message);

    public static void Log(LogLevel level, string message, params object[] args) =>
        _loggingWithLevelAction(level.ToString(), message, args);
}

public interface ILambdaSerializer
{
    T Deserialize<T>(Stream requestStream);
    void Serialize<T>(T response, Stream responseStream);
}

[AttributeUsage(AttributeTargets.Method | AttributeTargets.Assembly)]
public sealed class LambdaSerializerAttribute : Attribute
{
    public LambdaSerializerAttribute(Type serializerType)
    {
        SerializerType = serializerType;
    }

    public Type SerializerType { get; set; }
}

public static class SnapshotRestore
{
    private static readonly ConcurrentQueue<Func<ValueTask>> Before = new();
    private static readonly ConcurrentQueue<Func<ValueTask>> After = new();

    public static void RegisterBeforeSnapshot(Func<ValueTask> hook) => Before.Enqueue(hook);

    public static void RegisterAfterRestore(Func<ValueTask> hook) => After.Enqueue(hook);

    internal static void CopyBeforeSnapshotCallbacksToRegistry(Action<Func<ValueTask>> register) => Copy(Before, register);

    internal static void CopyAfterRestoreCallbacksToRegistry(Action<Func<ValueTask>> register) => Copy(After, register);

    private static void Copy(ConcurrentQueue<Func<ValueTask>> hooks, Action<Func<ValueTask>> register)
    {
        while (hooks.TryDequeue(out var hook))
        {
            register(hook);
        }
    }
}
