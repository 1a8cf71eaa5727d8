/* The Runtime API over one connection that is kept. */
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace Lambent.Runtime;

/// <summary>One event and what came with it.</summary>
internal sealed class Invocation
{
    public readonly byte[] Body;
    public readonly string RequestId;
    public readonly string? TraceId;

    private readonly Dictionary<string, string> _headers;

    public Invocation(Dictionary<string, string> headers, byte[] body)
    {
        _headers = headers;
        Body = body;
        RequestId = Header("Lambda-Runtime-Aws-Request-Id") ?? "";
        TraceId = Header("Lambda-Runtime-Trace-Id");
    }

    /// <summary>Return a header's value, null where it was not sent.</summary>
    public string? Header(string name) => _headers.TryGetValue(name, out var value) ? value : null;
}

internal sealed class RuntimeApi
{
    private const string Prefix = "/2018-06-01/runtime/";
    private const string ErrorType = "Lambda-Runtime-Function-Error-Type";
    private const string Cause = "Lambda-Runtime-Function-XRay-Error-Cause";
    private const string ErrorContent = "application/vnd.aws.lambda.error+json";
    private const int CauseMaxBytes = 1024 * 1024;
    private const int Accepted = 202;
    private const int TooLarge = 413;

    /// <summary>Up to here it is cheaper to copy a body behind its headers than to send it by itself.</summary>
    private const int CopiedMaxBytes = 64 * 1024;

    private readonly string _address;
    private readonly Connection _connection;
    private readonly byte[] _next;
    private byte[] _received = new byte[16 * 1024];
    private int _begin;
    private int _end;

    /// <param name="address">host:port</param>
    public RuntimeApi(string address)
    {
        _address = address;
        _connection = new Connection(address);
        _next = Encoding.ASCII.GetBytes(
            "GET " + Prefix + "invocation/next HTTP/1.1\r\nHost: " + address + "\r\n\r\n");
    }

    /// <summary>Return the next event, however long it takes.</summary>
    public Invocation Next()
    {
        _connection.Send(_next, _next.Length);
        var status = Receive(out var headers, out var body);
        if (status != 200)
        {
            throw Refused("invocation/next", status, body);
        }
        return new Invocation(headers, body);
    }

    /// <summary>Post an answer. One that is too long is refused, and the invocation has failed by that.</summary>
    public void Respond(string requestId, byte[] body, int length)
    {
        Post("invocation/" + requestId + "/response", "application/json", "", body, length);
    }

    /// <summary>Post that an invocation failed.</summary>
    public void Fail(string requestId, string errorType, string body, string cause)
    {
        var further = HeaderLine(ErrorType, errorType);
        if (cause.Length > 0 && Encoding.UTF8.GetByteCount(cause) < CauseMaxBytes)
        {
            further += HeaderLine(Cause, cause);
        }
        PostText($"invocation/{requestId}/error", ErrorContent, further, body);
    }

    /// <summary>Post that the function could not be loaded.</summary>
    public void FailInit(string? errorType, string body)
    {
        var further = errorType == null ? "" : HeaderLine(ErrorType, errorType);
        PostText("init/error", ErrorContent, further, body);
    }

    /// <summary>Wait until the environment is restored from what was kept of it.</summary>
    public void AwaitRestore()
    {
        var ask = Encoding.ASCII.GetBytes("GET " + Prefix + "restore/next HTTP/1.1\r\nHost: " + _address + "\r\n\r\n");
        _connection.Send(ask, ask.Length);
        var status = Receive(out _, out var body);
        if (status != 200)
        {
            throw Refused("restore/next", status, body);
        }
    }

    /// <summary>Post that a hook behind the restore failed.</summary>
    public void FailRestore(string errorType, string body)
    {
        PostText("restore/error", ErrorContent, HeaderLine(ErrorType, errorType), body);
    }

    private void PostText(string path, string contentType, string further, string text)
    {
        var body = Encoding.UTF8.GetBytes(text);
        Post(path, contentType, further, body, body.Length);
    }

    private void Post(string path, string contentType, string further, byte[] body, int length)
    {
        var head = Encoding.UTF8.GetBytes(
            "POST " + Prefix + path + " HTTP/1.1\r\nHost: " + _address + "\r\nContent-Type: " + contentType
            + "\r\nContent-Length: " + length.ToString(CultureInfo.InvariantCulture) + "\r\n" + further + "\r\n");
        if (length <= CopiedMaxBytes)
        {
            var whole = new byte[head.Length + length];
            Buffer.BlockCopy(head, 0, whole, 0, head.Length);
            Buffer.BlockCopy(body, 0, whole, head.Length, length);
            _connection.Send(whole, whole.Length);
        }
        else
        {
            _connection.Send(head, head.Length);
            _connection.Send(body, length);
        }
        var status = Receive(out _, out var answer);
        if (status != Accepted && status != TooLarge)
        {
            throw Refused(path, status, answer);
        }
    }

    /// <summary>Return a header as it is sent; names of errors and texts are the function's, and a header is one line.</summary>
    private static string HeaderLine(string name, string value)
    {
        return $"{name}: {value.Replace('\r', ' ').Replace('\n', ' ')}\r\n";
    }

    private static IOException Refused(string path, int status, byte[] body)
    {
        return new IOException($"the Runtime API answered {path} with {status}: {Encoding.UTF8.GetString(body)}");
    }

    /// <summary>Return an answer's status. Its body has a length: the server of the Runtime API sends no chunks.</summary>
    private int Receive(out Dictionary<string, string> headers, out byte[] body)
    {
        headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var status = 0;
        var end = 0;
        while (true)
        {
            // Line by line and by hand: what searches bytes is code that would have to be compiled.
            if (end == _end - _begin)
            {
                ReceiveMore();
                continue;
            }
            if (_received[_begin + end++] != '\n')
            {
                continue;
            }
            var line = Encoding.UTF8.GetString(_received, _begin, end).Trim();
            _begin += end;
            end = 0;
            if (line.Length == 0)
            {
                break;
            }
            var colon = line.IndexOf(':');
            if (status == 0)
            {
                status = int.Parse(line.Substring(9, 3), CultureInfo.InvariantCulture);
            }
            else if (colon > 0)
            {
                headers[line.Substring(0, colon)] = line.Substring(colon + 1).Trim();
            }
        }
        headers.TryGetValue("Content-Length", out var length);
        body = length == null ? Array.Empty<byte>() : new byte[int.Parse(length, CultureInfo.InvariantCulture)];
        var here = Math.Min(body.Length, _end - _begin);
        Buffer.BlockCopy(_received, _begin, body, 0, here);
        _begin += here;
        while (here < body.Length)
        {
            here += _connection.Receive(body, here);
        }
        return status;
    }

    private void ReceiveMore()
    {
        if (_begin == _end)
        {
            _begin = _end = 0;
        }
        else if (_end == _received.Length)
        {
            // A line that is longer than what there is room for behind the ones before it.
            if (_begin == 0)
            {
                Array.Resize(ref _received, 2 * _received.Length);
            }
            Buffer.BlockCopy(_received, _begin, _received, 0, _end - _begin);
            _end -= _begin;
            _begin = 0;
        }
        _end += _connection.Receive(_received, _end);
    }
}
