/* What goes wrong in a function, and the bodies that tell of it. */
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text;

namespace Lambent.Runtime;

internal static class Errors
{
    private const int BodyMaxBytes = 256 * 1024;
    private const string TooLong = "{\"errorMessage\": \"Exception exceeded maximum payload size of 256KB.\"}";

    /// <summary>Return what the log gets. The function's own errors may fail to tell of themselves.</summary>
    public static string Text(Exception error)
    {
        try
        {
            return error.ToString();
        }
        catch (Exception other)
        {
            return $"{error.GetType()}, which fails to say more: {other.GetType()}";
        }
    }

    /// <summary>
    /// Return what the caller gets: `{errorType, errorMessage, stackTrace, cause, causes}`, on lines as AWS has them.
    /// </summary>
    public static string Body(Exception error)
    {
        try
        {
            return Body(error, 0, BodyMaxBytes) ?? TooLong;
        }
        catch (Exception)
        {
            var json = new StringBuilder("{\n  \"errorType\": ");
            Json.Append(json, error.GetType().Name);
            json.Append(",\n  \"errorMessage\": ");
            Json.Append(json, Text(error));
            return json.Append("\n}").ToString();
        }
    }

    /// <summary>Return what X-Ray gets: `{working_directory, exceptions, paths}`, on one line; nothing if that fails.</summary>
    public static string XRayCause(Exception error)
    {
        try
        {
            return CauseOf(error);
        }
        catch (Exception)
        {
            return "";
        }
    }

    private static string CauseOf(Exception error)
    {
        var json = new StringBuilder("{\"working_directory\":");
        Json.Append(json, Directory.GetCurrentDirectory());
        json.Append(",\"exceptions\":[{\"type\":");
        Json.Append(json, error.GetType().Name);
        json.Append(",\"message\":");
        Json.Append(json, error.Message);
        json.Append(",\"stack\":[");
        var paths = new List<string>();
        var frames = new StackTrace(error, fNeedFileInfo: true).GetFrames();
        for (var index = 0; index < frames.Length; index++)
        {
            json.Append(index == 0 ? "{" : ",{");
            AppendFrame(json, frames[index]);
            json.Append('}');
            if (frames[index].GetFileName() is { } path && !paths.Contains(path))
            {
                paths.Add(path);
            }
        }
        json.Append("]}],\"paths\":[");
        for (var index = 0; index < paths.Count; index++)
        {
            json.Append(index == 0 ? "" : ",");
            Json.Append(json, paths[index]);
        }
        return json.Append("]}").ToString();
    }

    private static void AppendFrame(StringBuilder json, StackFrame frame)
    {
        if (frame.GetFileName() is { } path)
        {
            json.Append("\"path\":");
            Json.Append(json, path);
            json.Append(",\"line\":").Append(frame.GetFileLineNumber()).Append(',');
        }
        var method = frame.GetMethod();
        var type = method?.DeclaringType?.Name;
        json.Append("\"label\":");
        Json.Append(json, type == null ? method?.Name ?? "" : $"{type}.{method!.Name}");
    }

    /// <summary>Return an error and those in it; null where that takes more room than there is.</summary>
    private static string? Body(Exception error, int depth, int room)
    {
        // Each level takes room of its own, so that a chain of any length ends here.
        if (room <= 0)
        {
            return null;
        }
        var outer = new string(' ', 2 * depth);
        var indent = outer + "  ";
        var json = new StringBuilder("{\n");
        json.Append(indent).Append("\"errorType\": ");
        Json.Append(json, error.GetType().Name);
        json.Append(",\n").Append(indent).Append("\"errorMessage\": ");
        Json.Append(json, error.Message.Trim());
        if (!string.IsNullOrEmpty(error.StackTrace))
        {
            json.Append(",\n").Append(indent).Append("\"stackTrace\": [");
            var lines = error.StackTrace.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            for (var index = 0; index < lines.Length; index++)
            {
                json.Append(index == 0 ? "\n" : ",\n").Append(indent).Append("  ");
                Json.Append(json, lines[index]);
            }
            json.Append('\n').Append(indent).Append(']');
        }
        var left = room - Encoding.UTF8.GetByteCount(json.ToString());
        if (error.InnerException is { } cause)
        {
            json.Append(",\n").Append(indent).Append("\"cause\": ").Append(Body(cause, depth + 1, left) ?? TooLong);
        }
        if (error is AggregateException { InnerExceptions: { Count: > 0 } causes })
        {
            json.Append(",\n").Append(indent).Append("\"causes\": [");
            for (var index = 0; index < causes.Count; index++)
            {
                json.Append(index == 0 ? "\n" : ",\n").Append(indent).Append("  ");
                left = room - Encoding.UTF8.GetByteCount(json.ToString());
                var one = Body(causes[index], depth + 2, left);
                json.Append(one ?? TooLong);
                if (one == null)
                {
                    break;
                }
            }
            json.Append('\n').Append(indent).Append(']');
        }
        json.Append('\n').Append(outer).Append('}');
        var text = json.ToString();
        return Encoding.UTF8.GetByteCount(text) <= room ? text : null;
    }
}
