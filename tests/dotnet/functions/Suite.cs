/* The functions of the suite that every managed runtime passes, and of those that are .NET's alone. */
using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using Amazon.Lambda.Core;
using Amazon.Lambda.Serialization.SystemTextJson;

[assembly: LambdaSerializer(typeof(DefaultLambdaJsonSerializer))]

namespace App;

public class Echo
{
    public JsonNode? handler(JsonNode? input, ILambdaContext context)
    {
        if (input is JsonObject members && members["say"] is { } say)
        {
            Console.WriteLine($"said {say}");
        }
        return input;
    }
}

public class Error
{
    public void handler() => throw new InvalidOperationException("boom");
}

public class InitError
{
    public InitError() => throw new InvalidOperationException("boom");

    public void handler()
    {
    }
}

public class NestedError
{
    public async Task handler(JsonNode input)
    {
        await Task.Yield();
        await inner();
    }

    private static async Task inner()
    {
        await Task.Yield();
        throw new InvalidOperationException("boom");
    }
}

public class Exit
{
    public void handler() => Environment.Exit(3);
}

public class Goodbye
{
    private readonly IDisposable _leaving = PosixSignalRegistration.Create(
        PosixSignal.SIGTERM, Leave);

    public bool handler() => _leaving is not null;

    private static void Leave(PosixSignalContext context)
    {
        Console.WriteLine("goodbye");
        // By itself .NET would leave with 143.
        Environment.Exit(0);
    }
}

public class ContextFields
{
    public object[] handler(ILambdaContext context)
    {
        var left = context.RemainingTime.TotalMilliseconds;
        Thread.Sleep(10);
        return new object[]
        {
            context.AwsRequestId, context.InvokedFunctionArn, context.FunctionName, context.FunctionVersion,
            context.MemoryLimitInMB.ToString(), context.LogGroupName, context.LogStreamName, left,
            context.RemainingTime.TotalMilliseconds,
        };
    }
}

public class MoreContext
{
    public Dictionary<string, object?> handler(ILambdaContext context) => new()
    {
        ["title"] = context.ClientContext.Client?.AppTitle,
        ["custom"] = context.ClientContext.Custom,
        ["environment"] = context.ClientContext.Environment,
        ["identity"] = context.Identity.IdentityId,
        ["trace"] = context.TraceId,
        ["tenant"] = context.TenantId,
        ["logger"] = ReferenceEquals(context.Logger, context.Logger),
    };
}

public class Order
{
    public void handler(ILambdaContext context)
    {
        Console.WriteLine("one");
        Console.Error.WriteLine("two");
        context.Logger.LogWarning("three");
        Console.Write("four\n");
    }
}

public class Logging
{
    public object? handler(ILambdaContext context)
    {
        context.Logger.LogDebug("low");
        context.Logger.LogError("high");
        return null;
    }
}

public class Lines
{
    public void handler(ILambdaContext context)
    {
        Console.WriteLine("a {0} of {1}", 1, "b");
        Console.WriteLine(12.5);
        Console.WriteLine();
        Console.WriteLine("two\nlines");
        context.Logger.LogLine("line");
        context.Logger.Log("odd", "named");
        context.Logger.LogInformation("bought {count} of {product:X} {{at}} {many}", 3, 255, new[] { 1, 2 });
        context.Logger.LogError(new InvalidOperationException("inside"), "failed");
        LambdaLogger.Log("plain");
        LambdaLogger.Log(LogLevel.Warning, "static {0}", "one");
        Console.WriteLine(new string('é', 50_000) + "end");
    }
}

public class Variables
{
    public Dictionary<string, string?> handler()
    {
        var found = new Dictionary<string, string?>();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            found[(string)variable.Key] = (string?)variable.Value;
        }
        return found;
    }
}

public class LeftOver
{
    private Task? _work;

    public bool handler(JsonObject input)
    {
        if (input["wait"] is { } wait)
        {
            return _work!.Wait((int)wait);
        }
        _work = Task.Run(() => Thread.Sleep(50));
        return _work.IsCompleted;
    }
}

public record Purchase(string Title, int Count);

public struct Value
{
    public int Twice(int input) => 2 * input;
}

public abstract class Base<T>
{
    public string Inherited(T input) => $"{typeof(T).Name}: {input}";
}

public class Forms : Base<int>
{
    public static int Calls;

    public static Stream Streams(Stream input)
    {
        var text = new StreamReader(input).ReadToEnd();
        return new MemoryStream(Encoding.UTF8.GetBytes($"[{text}]"));
    }

    public async Task<string> Later(Purchase input, ILambdaContext context)
    {
        await Task.Delay(1);
        return $"{input.Title} {input.Count} {context.FunctionName}";
    }

    public async Task Nothing(string input) => await Task.Yield();

    public int Count() => ++Calls;

    public void Silent(int input)
    {
    }

    public async void Void() => await Task.Yield();

    public T Generic<T>(T input) => input;

    public string Params(params string[] input) => "";

    public string Three(int one, ILambdaContext two, int three) => "";

    public string Second(int one, int two) => "";

    public string Many(int one) => $"int {one}";

    public string Many(string one) => $"string {one}";

    public Task Aggregate() => throw new AggregateException("outer", new ArgumentException("one"), new FormatException("two"));

    public void Cause()
    {
        try
        {
            throw new ArgumentException("inner \"quoted\" é");
        }
        catch (ArgumentException error)
        {
            throw new InvalidOperationException("outer", error);
        }
    }

    public void Mute() => throw new MuteException();

    public void Long() => throw new InvalidOperationException(new string('x', 300 * 1024));

    public void Elsewhere(ILambdaContext context)
    {
        var thread = new Thread(() => throw new InvalidOperationException("nobody catches this"));
        thread.Start();
        Thread.Sleep(Timeout.Infinite);
    }

    public void Forever() => Thread.Sleep(Timeout.Infinite);

    public long Heap() => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    public int Big(int bytes) => new byte[bytes].Length;

    public string Answer(int length) => new('x', length);
}

public class MuteException : Exception
{
    public override string Message => throw new NotSupportedException();
}

public abstract class Unfinished
{
    public void handler()
    {
    }
}

public class Hooks
{
    private static readonly List<string> Told = new();

    public Hooks()
    {
        SnapshotRestore.RegisterBeforeSnapshot(() => Tell("before one"));
        SnapshotRestore.RegisterBeforeSnapshot(() => Tell("before two"));
        SnapshotRestore.RegisterAfterRestore(() => Tell("after"));
    }

    public List<string> handler() => Told;

    private static ValueTask Tell(string what)
    {
        Told.Add(what);
        return ValueTask.CompletedTask;
    }
}

public class FailingHook
{
    public FailingHook() =>
        SnapshotRestore.RegisterBeforeSnapshot(() => throw new InvalidOperationException("boom"));

    public void handler()
    {
    }
}
