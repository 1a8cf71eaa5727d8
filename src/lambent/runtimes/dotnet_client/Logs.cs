/* What functions log and print: AWS's text lines or JSON records, as frames on the telemetry descriptor. */
using System;
using System.Buffers.Binary;
using System.Globalization;
using System.IO;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Lambent.Runtime;

/// <summary>As Amazon.Lambda.Core has them.</summary>
internal enum Level
{
    Trace,
    Debug,
    Information,
    Warning,
    Error,
    Critical,
}

internal enum Format
{
    /// <summary>A line with time, request id and level before the message.</summary>
    Default,

    /// <summary>The message by itself.</summary>
    Unformatted,
    Json,
}

/// <summary>
/// Fields where others would have properties, here and in `Invocation`: each that is read before or at the first event
/// is one more method to compile.
/// </summary>
internal sealed class Logs
{
    private const int HeaderBytes = 16;
    private const uint FrameJson = 0xa55a0002;
    private const uint FrameText = 0xa55a0003;

    private static readonly string[] Labels = { "trce", "dbug", "info", "warn", "fail", "crit" };

    private readonly object _lock = new();
    private readonly Format _format;
    private readonly Level _lowest;

    /// <summary>The telemetry descriptor, -1 where there is none.</summary>
    private readonly int _descriptor;

    private Stream? _stream;

    private Logs(Format format, Level lowest, int descriptor)
    {
        _format = format;
        _lowest = lowest;
        _descriptor = descriptor;
    }

    /// <summary>Of the invocation that runs; before the first there is none.</summary>
    public string RequestId = "";

    public string? TraceId;

    public static Logs FromEnvironment()
    {
        // The variables of .NET's own are older than Lambda's, and go first.
        var format = Variable("AWS_LAMBDA_HANDLER_LOG_FORMAT") ?? Variable("AWS_LAMBDA_LOG_FORMAT");
        var level = Variable("AWS_LAMBDA_HANDLER_LOG_LEVEL") ?? Variable("AWS_LAMBDA_LOG_LEVEL");
        var descriptor = Variable("_LAMBDA_TELEMETRY_LOG_FD");
        // Programs that the function starts have no use for it.
        Environment.SetEnvironmentVariable("_LAMBDA_TELEMETRY_LOG_FD", null);
        return new Logs(
            format == null ? Format.Default : FormatOf(format),
            level == null ? Level.Information : LevelOf(level) ?? Level.Information,
            int.TryParse(descriptor, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : -1);
    }

    /// <summary>Take over what is written to the console: each line is a record.</summary>
    public void TakeConsole()
    {
        Console.SetOut(new ConsoleWriter(this, Level.Information));
        Console.SetError(new ConsoleWriter(this, Level.Error));
    }

    /// <summary>Return the level of a name, AWS's or .NET's; null for one that is none.</summary>
    public static Level? LevelOf(string? name)
    {
        // Not Enum.TryParse, which takes numbers as well and costs a cold start more than all of this.
        return name?.ToLowerInvariant() switch
        {
            "trace" => Level.Trace,
            "debug" => Level.Debug,
            "information" or "info" => Level.Information,
            "warning" or "warn" => Level.Warning,
            "error" => Level.Error,
            "critical" or "fatal" => Level.Critical,
            _ => null,
        };
    }

    /// <summary>Write a record that is no template.</summary>
    public void Write(Level level, string? message) => Write(level, null, message, null, null);

    /// <summary>
    /// Write a record.
    /// </summary>
    /// <param name="level">Null: a record without one, never left out.</param>
    /// <param name="name">What the level is called where it is none of those known.</param>
    /// <param name="message">A template, where there are values, e.g. `bought {count} of {product}`.</param>
    /// <param name="values">What its places stand for, in their order.</param>
    /// <param name="error">What went wrong.</param>
    public void Write(Level? level, string? name, string? message, object?[]? values, Exception? error)
    {
        if (level < _lowest)
        {
            return;
        }
        var now = DateTime.UtcNow;
        var template = values == null || values.Length == 0 ? null : new Template(message ?? "", values);
        var text = template == null ? message ?? "" : template.Text();
        switch (_format)
        {
            case Format.Json:
                WriteFrame(FrameJson, level, now, Record(level, name, now, text, template, error));
                break;
            case Format.Unformatted:
                WriteFrame(FrameText, level, now, text + Described(text, error) + "\n");
                break;
            default:
                var label = level == null ? name : Labels[(int)level];
                var shown = string.IsNullOrEmpty(label) ? "" : label + "\t";
                WriteFrame(
                    FrameText, level, now, $"{Time(now)}\t{RequestId}\t{shown}{text}{Described(text, error)}\n");
                break;
        }
    }

    /// <summary>Write text as it is: what Console.Write was given.</summary>
    public void WriteText(ReadOnlySpan<char> text)
    {
        if (text.Length > 0)
        {
            WriteFrame(FrameText, null, DateTime.UtcNow, text.ToString());
        }
    }

    private static string? Variable(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        return string.IsNullOrEmpty(value) ? null : value;
    }

    private static Format FormatOf(string? name)
    {
        return name?.ToLowerInvariant() switch
        {
            "json" => Format.Json,
            "unformatted" => Format.Unformatted,
            _ => Format.Default,
        };
    }

    private static string Time(DateTime now)
    {
        return now.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
    }

    private static string Described(string text, Exception? error)
    {
        return error == null ? "" : (text.Length == 0 ? "" : "\n") + error;
    }

    private string Record(Level? level, string? name, DateTime now, string text, Template? template, Exception? error)
    {
        var json = new StringBuilder();
        json.Append("{\"timestamp\":\"").Append(Time(now)).Append("\",\"level\":");
        Json.Append(json, level?.ToString() ?? name ?? nameof(Level.Information));
        if (RequestId.Length > 0)
        {
            json.Append(",\"requestId\":");
            Json.Append(json, RequestId);
        }
        if (!string.IsNullOrEmpty(TraceId))
        {
            json.Append(",\"traceId\":");
            Json.Append(json, TraceId);
        }
        json.Append(",\"message\":");
        Json.Append(json, text);
        template?.AppendMembers(json);
        if (error != null)
        {
            json.Append(",\"errorType\":");
            Json.Append(json, error.GetType().FullName ?? error.GetType().Name);
            json.Append(",\"errorMessage\":");
            Json.Append(json, error.Message);
            json.Append(",\"stackTrace\":[");
            var lines = error.ToString().Split('\n');
            for (var index = 0; index < lines.Length; index++)
            {
                json.Append(index == 0 ? "" : ",");
                Json.Append(json, lines[index].Trim());
            }
            json.Append(']');
        }
        return json.Append('}').ToString();
    }

    private void WriteFrame(uint type, Level? level, DateTime now, string message)
    {
        var begin = _descriptor < 0 ? 0 : HeaderBytes;
        var bytes = new byte[begin + Encoding.UTF8.GetMaxByteCount(message.Length) + 1];
        var end = begin + Encoding.UTF8.GetBytes(message, bytes.AsSpan(begin));
        if (_descriptor >= 0)
        {
            // Documented in the clients that AWS publishes: kind, length, microseconds since 1970; big-endian.
            BinaryPrimitives.WriteUInt32BigEndian(bytes, type | (level == null ? 0 : ((uint)level + 1) << 2));
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), (uint)(end - begin));
            BinaryPrimitives.WriteInt64BigEndian(
                bytes.AsSpan(8), (now.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond);
        }
        else if (type == FrameJson)
        {
            bytes[end++] = (byte)'\n';
        }
        lock (_lock)
        {
            _stream ??= _descriptor >= 0
                ? new FileStream(new SafeFileHandle(_descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0)
                : Console.OpenStandardOutput();
            _stream.Write(bytes, 0, end);
        }
    }
}
