/*
 * What runs in the function's .NET in the place of AWS's Amazon.Lambda.RuntimeSupport: loads the handler and serves it.
 *
 * In: the variables that a runtime starts with, events from the Runtime API. Out: answers and framed log records.
 * .NET 8 and newer, its own libraries only, and of these as few as it takes: each one that is loaded before the first
 * event is a millisecond or more of every cold start. So no LINQ, no HttpClient, and JSON by hand on the usual way.
 *
 * Observed, wherever nothing else is said: aws/aws-lambda-dotnet, Libraries/src/Amazon.Lambda.RuntimeSupport.
 */
using System;
using System.IO;

namespace Lambent.Runtime;

public static class Program
{
    private const int FailedInit = 1;

    public static int Main(string[] arguments)
    {
        var logs = Logs.FromEnvironment();
        logs.TakeConsole();
        var api = new RuntimeApi(Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API") ?? "127.0.0.1:9001");
        Handler handler;
        try
        {
            CoreLibrary.Connect(logs);
            handler = new Handler(arguments.Length > 0 ? arguments[0] : "");
            if (Preparation.IsWanted())
            {
                Preparation.Compile(handler.Assembly);
            }
            if (Environment.GetEnvironmentVariable("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start")
            {
                Snapshot.Take(api, logs);
            }
        }
        catch (HasBeenReported)
        {
            return FailedInit;
        }
        catch (Exception error)
        {
            logs.Write(Level.Error, Errors.Text(error));
            api.FailInit(null, Errors.Body(error));
            return FailedInit;
        }
        while (true)
        {
            Serve(api.Next(), api, logs, handler);
        }
    }

    private static void Serve(Invocation invocation, RuntimeApi api, Logs logs, Handler handler)
    {
        logs.RequestId = invocation.RequestId;
        logs.TraceId = invocation.TraceId;
        Environment.SetEnvironmentVariable("_X_AMZN_TRACE_ID", invocation.TraceId);
        MemoryStream answer;
        try
        {
            answer = handler.Invoke(invocation, logs);
        }
        catch (Exception error)
        {
            logs.Write(Level.Error, Errors.Text(error));
            api.Fail(invocation.RequestId, error.GetType().Name, Errors.Body(error), Errors.XRayCause(error));
            return;
        }
        api.Respond(invocation.RequestId, answer.GetBuffer(), (int)answer.Length);
    }
}

/// <summary>The process is to end, and the Runtime API knows why.</summary>
internal sealed class HasBeenReported : Exception
{
}
