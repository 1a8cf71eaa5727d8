/* Messages with places for values, as ILambdaLogger takes them: `bought {count} of {product}`, or `{0} of {1}`. */
using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Lambent.Runtime;

internal sealed class Template
{
    private readonly string _text;
    private readonly object?[] _values;
    private readonly List<Place> _places = new();
    private readonly bool _isByPosition;

    public Template(string text, object?[] values)
    {
        _text = text;
        _values = values;
        Parse();
        _isByPosition = IsByPosition();
    }

    /// <summary>One place of a template: from `{` to behind `}`.</summary>
    private sealed class Place
    {
        public int Begin;
        public int End;
        public string Name = "";
        public string? Format;

        /// <summary>Whether it is written with an `@`: its value is a member as JSON.</summary>
        public bool IsSerialised;
    }

    /// <summary>Return the message with the values in their places. Lists and dictionaries are only members.</summary>
    public string Text()
    {
        var made = new StringBuilder();
        var done = 0;
        for (var index = 0; index < _places.Count; index++)
        {
            var place = _places[index];
            AppendLiteral(made, _text.AsSpan(done, place.Begin - done));
            var value = ValueOf(index);
            if (value is null || value is IList && value is not byte[] || value is IDictionary)
            {
                made.Append(_text, place.Begin, place.End - place.Begin);
            }
            else
            {
                made.Append(TextOf(value, place.Format));
            }
            done = place.End;
        }
        AppendLiteral(made, _text.AsSpan(done));
        return made.ToString();
    }

    /// <summary>Append the values as members of a record, by the names of their places.</summary>
    public void AppendMembers(StringBuilder json)
    {
        for (var index = 0; index < _places.Count; index++)
        {
            var place = _places[index];
            if (ValueOf(index) is not { } value)
            {
                continue;
            }
            json.Append(',');
            Json.Append(json, place.Name);
            json.Append(':');
            AppendValue(json, value, place);
        }
    }

    private void AppendValue(StringBuilder json, object? value, Place place)
    {
        if (value is IDictionary members)
        {
            json.Append('{');
            var isFirst = true;
            foreach (DictionaryEntry member in members)
            {
                json.Append(isFirst ? "" : ",");
                Json.Append(json, member.Key.ToString() ?? "");
                json.Append(':');
                AppendScalar(json, member.Value, place);
                isFirst = false;
            }
            json.Append('}');
        }
        else if (value is IList items && value is not byte[])
        {
            json.Append('[');
            for (var index = 0; index < items.Count; index++)
            {
                json.Append(index == 0 ? "" : ",");
                AppendScalar(json, items[index], place);
            }
            json.Append(']');
        }
        else
        {
            AppendScalar(json, value, place);
        }
    }

    private static void AppendScalar(StringBuilder json, object? value, Place place)
    {
        if (value is null)
        {
            json.Append("null");
        }
        else if (place.IsSerialised)
        {
            json.Append(Serialised(value));
        }
        else if (place.Format == null && value is bool truth)
        {
            json.Append(truth ? "true" : "false");
        }
        else if (place.Format == null && IsNumber(value))
        {
            json.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
        }
        else
        {
            Json.Append(json, TextOf(value, place.Format));
        }
    }

    private static string Serialised(object value)
    {
        try
        {
            return System.Text.Json.JsonSerializer.Serialize(value);
        }
        catch (Exception)
        {
            // One that cannot be serialised is shown as text.
            var text = new StringBuilder();
            Json.Append(text, value.ToString() ?? "");
            return text.ToString();
        }
    }

    private static bool IsNumber(object value)
    {
        return value switch
        {
            double number => double.IsFinite(number),
            float number => float.IsFinite(number),
            byte or sbyte or short or ushort or int or uint or long or ulong or decimal => true,
            _ => false,
        };
    }

    private static string TextOf(object value, string? format)
    {
        if (value is byte[] bytes)
        {
            const int Shown = 16;
            var whole = Convert.ToHexString(bytes, 0, Math.Min(bytes.Length, Shown));
            return bytes.Length <= Shown ? whole : $"{whole}... ({bytes.Length} bytes)";
        }
        try
        {
            if (format != null)
            {
                return string.Format(CultureInfo.InvariantCulture, "{0:" + format + "}", value);
            }
        }
        catch (FormatException)
        {
            // The value without it, then.
        }
        return value switch
        {
            DateTime time => time.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture),
            DateTimeOffset time => time.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture),
            DateOnly date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            TimeOnly time => time.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
        };
    }

    private object? ValueOf(int index)
    {
        var position = _isByPosition ? int.Parse(_places[index].Name, CultureInfo.InvariantCulture) : index;
        return position < _values.Length ? _values[position] : null;
    }

    private bool IsByPosition()
    {
        foreach (var place in _places)
        {
            if (!int.TryParse(place.Name, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            {
                return false;
            }
        }
        return true;
    }

    private void Parse()
    {
        for (var begin = 0; (begin = _text.IndexOf('{', begin)) >= 0;)
        {
            if (begin + 1 < _text.Length && _text[begin + 1] == '{')
            {
                begin += 2;
                continue;
            }
            var end = _text.IndexOf('}', begin);
            if (end < 0)
            {
                return;
            }
            var inner = _text.AsSpan(begin + 1, end - begin - 1);
            var isSerialised = inner.Length > 0 && inner[0] == '@';
            inner = isSerialised ? inner.Slice(1) : inner;
            var colon = inner.IndexOf(':');
            if (inner.Length > 0)
            {
                var format = colon < 0 ? "" : inner.Slice(colon + 1).Trim().ToString();
                _places.Add(new Place
                {
                    Begin = begin,
                    End = end + 1,
                    Name = (colon < 0 ? inner : inner.Slice(0, colon)).Trim().ToString(),
                    Format = format.Length == 0 ? null : format,
                    IsSerialised = isSerialised,
                });
            }
            begin = end + 1;
        }
    }

    private static void AppendLiteral(StringBuilder made, ReadOnlySpan<char> text)
    {
        made.Append(text.ToString().Replace("{{", "{"));
    }
}
