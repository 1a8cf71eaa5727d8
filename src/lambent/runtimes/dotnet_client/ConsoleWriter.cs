/* Console.Out and Console.Error. */
using System;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Lambent.Runtime;

/// <summary>
/// Makes a record of each line that is written as one. What is written in pieces stays text, as on AWS.
///
/// TextWriter takes a line apart into its text and its end in most of these, so that each is here.
/// </summary>
internal sealed class ConsoleWriter : TextWriter
{
    private readonly Logs _logs;
    private readonly Level _level;

    public ConsoleWriter(Logs logs, Level level)
    {
        _logs = logs;
        _level = level;
        CoreNewLine = new[] { '\n' };
    }

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value) => _logs.WriteText(new ReadOnlySpan<char>(in value));

    public override void Write(string? value) => _logs.WriteText(value);

    public override void Write(char[] buffer, int index, int count) => _logs.WriteText(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer) => _logs.WriteText(buffer);

    public override Task WriteAsync(char value) => Done(() => Write(value));

    public override Task WriteAsync(string? value) => Done(() => Write(value));

    public override Task WriteAsync(char[] buffer, int index, int count) => Done(() => Write(buffer, index, count));

    public override Task WriteAsync(ReadOnlyMemory<char> buffer, CancellationToken cancellationToken = default) =>
        Done(() => Write(buffer.Span));

    public override void WriteLine() => Line("");

    public override void WriteLine(string? value) => Line(value);

    public override void WriteLine(object? value) => Line(value?.ToString());

    public override void WriteLine(char value) => Line(value.ToString());

    public override void WriteLine(char[]? buffer) => Line(buffer == null ? "" : new string(buffer));

    public override void WriteLine(char[] buffer, int index, int count) => Line(new string(buffer, index, count));

    public override void WriteLine(ReadOnlySpan<char> buffer) => Line(buffer.ToString());

    public override void WriteLine(StringBuilder? value) => Line(value?.ToString());

    public override void WriteLine(bool value) => Line(value.ToString());

    public override void WriteLine(int value) => Line(value.ToString(FormatProvider));

    public override void WriteLine(uint value) => Line(value.ToString(FormatProvider));

    public override void WriteLine(long value) => Line(value.ToString(FormatProvider));

    public override void WriteLine(ulong value) => Line(value.ToString(FormatProvider));

    public override void WriteLine(float value) => Line(value.ToString(FormatProvider));

    public override void WriteLine(double value) => Line(value.ToString(FormatProvider));

    public override void WriteLine(decimal value) => Line(value.ToString(FormatProvider));

    public override void WriteLine(string format, object? arg0) => Line(string.Format(FormatProvider, format, arg0));

    public override void WriteLine(string format, object? arg0, object? arg1) =>
        Line(string.Format(FormatProvider, format, arg0, arg1));

    public override void WriteLine(string format, object? arg0, object? arg1, object? arg2) =>
        Line(string.Format(FormatProvider, format, arg0, arg1, arg2));

    public override void WriteLine(string format, params object?[] arg) =>
        Line(string.Format(FormatProvider, format, arg));

    public override Task WriteLineAsync() => Done(WriteLine);

    public override Task WriteLineAsync(char value) => Done(() => WriteLine(value));

    public override Task WriteLineAsync(string? value) => Done(() => Line(value));

    public override Task WriteLineAsync(char[] buffer, int index, int count) =>
        Done(() => WriteLine(buffer, index, count));

    public override Task WriteLineAsync(ReadOnlyMemory<char> buffer, CancellationToken cancellationToken = default) =>
        Done(() => WriteLine(buffer.Span));

    public override Task WriteLineAsync(StringBuilder? value, CancellationToken cancellationToken = default) =>
        Done(() => WriteLine(value));

    private void Line(string? text) => _logs.Write(_level, text);

    private static Task Done(Action write)
    {
        write();
        return Task.CompletedTask;
    }
}
